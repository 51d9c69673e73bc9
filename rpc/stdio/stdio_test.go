//go:build unix

package stdio

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// modeVariable says what the test's binary is when a test has started it.
const modeVariable = "JOBLINE_TEST_MODE"

func TestMain(m *testing.M) {
	switch mode := os.Getenv(modeVariable); mode {
	case "":
		os.Exit(m.Run())
	case "main":
		Main(types()...)
	case "log file":
		writeLog(os.Getenv(logVariable))
	case "driver":
		driver(os.Getenv(driverVariable))
	case "parent": // starts a server on its own stdin and stdout, and stays
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), modeVariable+"=main")
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		if err := cmd.Run(); err != nil {
			panic(err)
		}
	default:
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: types()})
		if err != nil {
			panic(err)
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		o := Options{Logger: log, Failed: failed, Ended: func() { log.Info("Ended was called") }}
		if mode == "cancel on eof" {
			o.RPC.OnEOF = rpc.EOFCancel
		}
		os.Exit(Run(context.Background(), ex, o))
	}
}

// failed has why the store has failed.
var failed = make(chan error, 1)

// types are the built-in ones, and code that does what it should not.
func types() []executor.Type {
	types, err := builtin.Types()
	if err != nil {
		panic(err)
	}
	return append(types,
		executor.MustDefine("deaf", func(_ context.Context, in builtin.SleepInput) (builtin.Nothing, error) {
			time.Sleep(time.Duration(in.DurationMs) * time.Millisecond)
			return builtin.Nothing{}, nil
		}),
		// tidy waits until it is told to stop, and cleans up then.
		executor.MustDefine("tidy", func(ctx context.Context, _ builtin.Nothing) (builtin.Nothing, error) {
			<-ctx.Done()
			select {
			case <-time.After(500 * time.Millisecond):
				return builtin.Nothing{}, nil
			case <-executor.Killed(ctx):
				return builtin.Nothing{}, context.Cause(ctx)
			}
		}),
		executor.MustDefine("loseStore", func(ctx context.Context, _ builtin.Nothing) (builtin.Nothing, error) {
			failed <- errors.New("the store has no more nuts")
			<-ctx.Done()
			return builtin.Nothing{}, context.Cause(ctx)
		}),
		executor.MustDefine("panic", func(context.Context, builtin.Nothing) (builtin.Nothing, error) {
			panic(strings.Repeat("no more nuts ", 100))
		}),
		executor.MustDefine("shout", func(context.Context, builtin.Nothing) (builtin.Nothing, error) {
			_, err := fmt.Println("this is no message")
			return builtin.Nothing{}, err
		}),
		executor.MustDefine("flood", func(ctx context.Context, _ builtin.Nothing) (builtin.Nothing, error) {
			for ctx.Err() == nil {
				if _, err := executor.Output(ctx, schema.Stdout).Write(make([]byte, 64<<10)); err != nil {
					return builtin.Nothing{}, err
				}
			}
			return builtin.Nothing{}, context.Cause(ctx)
		}))
}

// process is a server that is a process of its own.
type process struct {
	testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	lines *bufio.Reader
}

// start starts a server on pipes. What set does to the command comes first.
func start(t testing.TB, mode string, set ...func(*exec.Cmd)) *process {
	p := &process{TB: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), modeVariable+"="+mode, "GORACE=atexit_sleep_ms=0")
	for _, f := range set {
		f(p.cmd)
	}
	var err error
	if p.cmd.Stdin == nil {
		p.in, err = p.cmd.StdinPipe()
		require.NoError(t, err)
	}
	if p.cmd.Stdout == nil {
		p.out, err = p.cmd.StdoutPipe()
		require.NoError(t, err)
		p.lines = bufio.NewReader(p.out)
	}
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

type message struct {
	ID     jsontext.Value `json:"id"`
	Method string         `json:"method"`
	Params struct {
		State string `json:"state"`
	} `json:"params"`
	Result jsontext.Value `json:"result"`
	Error  *struct {
		Code int `json:"code"`
	} `json:"error"`
}

func (p *process) send(text string) {
	_, err := io.WriteString(p.in, text)
	require.NoError(p, err)
}

func (p *process) submit(typ, more string) {
	p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":%q%s}}`+"\n", typ, more))
}

// next reads a message in either framing.
func (p *process) next() (m message, err error) {
	line, err := p.lines.ReadBytes('\n')
	var length int
	if n, _ := fmt.Sscanf(string(line), "Content-Length: %d\r\n", &length); n == 1 {
		line = make([]byte, length)
		if _, err = p.lines.Discard(len("\r\n")); err == nil {
			_, err = io.ReadFull(p.lines, line)
		}
	}
	if err == nil {
		require.NoError(p, json.Unmarshal(line, &m), "%s", line)
	}
	return m, err
}

// until reads until a notification comes.
func (p *process) until(method string) message {
	p.Helper()
	for {
		m, err := p.next()
		require.NoError(p, err)
		if m.Method == method {
			return m
		}
	}
}

// untilReply reads until a reply comes.
func (p *process) untilReply(id string) message {
	p.Helper()
	for {
		m, err := p.next()
		require.NoError(p, err)
		if string(m.ID) == id {
			return m
		}
	}
}

// stats asks for them.
func (p *process) stats() (stats schema.StatsResult) {
	p.Helper()
	p.send(`{"jsonrpc":"2.0","id":2,"method":"stats"}` + "\n")
	m, err := p.next()
	require.NoError(p, err)
	require.NoError(p, json.Unmarshal(m.Result, &stats))
	return stats
}

// end reads all that comes and answers the state of the last task that has
// finished, and the exit code.
func (p *process) end() (state string, code int) {
	p.Helper()
	for {
		m, err := p.next()
		if err != nil {
			require.ErrorIs(p, err, io.EOF)
			break
		}
		if m.Method == schema.NotifyFinished {
			state = m.Params.State
		}
	}
	return state, p.exit()
}

func (p *process) exit() int {
	p.Helper()
	err := p.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		require.True(p, exit.Exited(), "%v", err)
		return exit.ExitCode()
	}
	require.NoError(p, err)
	return 0
}

const longSleep = `,"input":{"durationMs":600000}`

func TestEndOfInput(t *testing.T) {
	p := start(t, "main")
	p.submit("sleep", `,"input":{"durationMs":50}`)
	require.NoError(t, p.in.Close())
	state, code := p.end()
	require.Equal(t, "completed", state)
	require.Zero(t, code)
}

func TestCancelOnEndOfInput(t *testing.T) {
	p := start(t, "cancel on eof")
	p.submit("sleep", longSleep)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.in.Close())
	state, code := p.end()
	require.Equal(t, "cancelled", state)
	require.Zero(t, code)
}

// The end of the input in the middle of something loses none of what came before.
func TestEndOfInputInTheMiddle(t *testing.T) {
	const rq = `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"sleep","input":{"durationMs":20}}}`
	framed := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(rq), rq)
	for name, text := range map[string]string{
		"of a line":         rq + "\n" + rq[:30],
		"without a newline": rq,
		"of a frame":        framed + framed[:40],
		"of a header":       framed + framed[:10],
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "main")
			p.send(text)
			require.NoError(t, p.in.Close())
			state, code := p.end()
			require.Equal(t, "completed", state)
			require.Zero(t, code)
		})
	}
}

// heed lets servers have a signal that the test's own process may have been
// started to ignore: what is caught is not ignored in a child.
func heed(t *testing.T, s os.Signal) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, s)
	t.Cleanup(func() { signal.Stop(caught) })
}

func TestSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		heed(t, s)
		t.Run(s.String(), func(t *testing.T) {
			p := start(t, "main")
			p.submit("sleep", longSleep+`,"graceMs":600000`)
			p.until(schema.NotifyStarted)
			require.NoError(t, p.cmd.Process.Signal(s))
			state, code := p.end()
			require.Equal(t, "cancelled", state)
			require.Equal(t, 128+int(s), code)
		})
		t.Run(s.String()+" while idle", func(t *testing.T) {
			p := start(t, "main")
			p.submit("noop", "")
			p.until(schema.NotifyFinished)
			require.NoError(t, p.cmd.Process.Signal(s))
			require.Equal(t, 128+int(s), p.exit())
		})
	}
}

// A signal that was ignored when the server was started, as nohup does it, and
// shells do for what runs in the background, is ignored by the server, too.
func TestIgnoredSignals(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			signal.Ignore(s) // which a child inherits
			p := start(t, "main")
			heed(t, s)
			p.submit("sleep", `,"input":{"durationMs":200}`)
			p.until(schema.NotifyStarted)
			require.NoError(t, p.cmd.Process.Signal(s))
			require.NoError(t, p.in.Close())
			state, code := p.end()
			require.Equal(t, "completed", state)
			require.Zero(t, code)
		})
	}
}

// A host that sends exit and waits for the process reads no more.
func TestExitWithoutReading(t *testing.T) {
	p := start(t, "main")
	p.submit("flood", `,"events":["output"]`)
	p.until(schema.NotifyOutput)
	p.send(`{"jsonrpc":"2.0","method":"exit"}` + "\n")
	require.Zero(t, p.exit())
}

// Code that does not stop holds the end up only as long as the budget is, and
// its task is told to have ended.
func TestSignalWithDeafTask(t *testing.T) {
	p := start(t, "main")
	p.submit("deaf", longSleep+`,"graceMs":600000`)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	state, code := p.end()
	require.Equal(t, "cancelled", state)
	require.Equal(t, 128+int(syscall.SIGTERM), code)
}

// The second signal counts, and ends what the first has given time to.
func TestSecondSignal(t *testing.T) {
	heed(t, syscall.SIGINT)
	p := start(t, "main")
	p.submit("deaf", longSleep)
	p.until(schema.NotifyStarted)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	for stats := (schema.StatsResult{}); !stats.ShuttingDown; {
		stats = p.stats()
	}
	time.Sleep(SameSignal) // or it is the same wish
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
	state, code := p.end()
	require.Equal(t, "cancelled", state)
	require.Equal(t, 128+int(syscall.SIGINT), code)
}
