package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats/natstest"
)

// soon is how long a test waits for what must come in a moment. A machine that does much
// else is slow.
const soon = time.Minute

// TestMain makes the test binary the program jobline, too, and puts it in the
// PATH: the scripts and some tests run it as a process.
func TestMain(m *testing.M) {
	if os.Getenv("GORACE") == "" { // a program with the race detector sleeps a second before it exits
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	natstest.Main()
	testscript.Main(tests{m}, map[string]func(){
		"natsserver": natstest.Program,
		"jobline":    func() { Main() }, "own": ownProgram, "bare": bareProgram, "ledger": ledgerProgram,
		"older": func() { Program{Name: "jobline", Version: "1.2.0"}.Main() }, "newer": func() { Program{Name: "jobline", Version: "1.10.0"}.Main() },
	})
}

// tests are those of this package, as testscript.Main runs them where this process is
// none of the programs.
type tests struct{ *testing.M }

// Run implements testscript.TestingM.
func (m tests) Run() int {
	beforeTests()
	return m.M.Run()
}

// beforeTests prepares this process for the tests.
var beforeTests = func() {}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", os.Getenv("GORACE"))
			program, err := exec.LookPath("jobline")
			e.Setenv("JOBLINE", program)
			e.Defer(func() { endServers(program, e.WorkDir) })
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitsWith, "eventually": eventuallyPrints, "oneline": oneLine, "protocol": protocolOnly,
		},
	})
}

// endServers ends the servers that a script has started, whose sockets are below its folder: one
// with a task that waits for a time would stay until then. A server that has ended already
// may have left its socket, so an error says nothing.
func endServers(program, folder string) {
	_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type() == fs.ModeSocket {
			_ = exec.Command(program, "shutdown", "--socket", path, "--mode", "cancel").Run()
		}
		return nil
	})
}

// exitsWith runs a program and checks its exit code: code N PROGRAM ARGUMENT...
func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [argument...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// eventuallyPrints runs a program again and again until it succeeds and its stdout
// matches: eventually REGEXP PROGRAM ARGUMENT...
func eventuallyPrints(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually regexp program [argument...]")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for end := time.Now().Add(soon); ; time.Sleep(10 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		printed := ts.ReadFile("stdout")
		if err == nil && want.MatchString(printed) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%v: no match for %q in:\n%s", err, args[0], printed)
		}
	}
}

// oneLine checks that a file, or stdout or stderr, has exactly one line.
func oneLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: oneline file")
	}
	text := ts.ReadFile(args[0])
	if n := bytes.Count([]byte(text), []byte("\n")); n != 1 || text[len(text)-1] != '\n' {
		ts.Fatalf("%d lines, want one:\n%s", n, text)
	}
}

// protocolOnly checks that every line of a file is a JSON-RPC message.
func protocolOnly(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: protocol file")
	}
	text := []byte(ts.ReadFile(args[0]))
	if len(text) == 0 {
		ts.Fatalf("there is nothing in %s", args[0])
	}
	for line := range bytes.Lines(text) {
		var message struct{ JSONRPC string }
		if err := json.Unmarshal(line, &message); err != nil || message.JSONRPC != "2.0" {
			ts.Fatalf("not a message of the protocol: %q", line)
		}
	}
}

// ownProgram is a program with a task type of its own beside those that ship,
// one of which it replaces.
func ownProgram() {
	type input struct {
		Name string `json:"name" jsonschema:"whom to greet"`
	}
	type result struct {
		Greeting string `json:"greeting"`
	}
	Main(
		executor.MustDefine("greet", func(_ context.Context, in input) (result, error) {
			return result{"hello " + in.Name}, nil
		}, executor.Describe("Greets."), executor.Alias("bubble")),
		executor.MustDefine("noop", func(context.Context, struct{}) (result, error) { return result{"mine"}, nil }),
	)
}

// bareProgram has nothing of what ships, and a name and a version of its own.
func bareProgram() {
	Program{
		Name: "bear", Version: "7.8.9", NoExec: true, NoBuiltins: true,
		Types: []executor.Type{executor.MustDefine("growl", func(context.Context, struct{}) (struct{}, error) {
			return struct{}{}, nil
		})},
	}.Main()
}
