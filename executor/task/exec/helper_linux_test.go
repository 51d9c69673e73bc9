package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// modeVar makes the test binary a command for the tests: its value says which.
const modeVar = "COMMAND_TEST_MODE"

func TestMain(m *testing.M) {
	if name := os.Getenv(modeVar); name != "" {
		mode, ok := modes[name]
		if !ok {
			panic("no mode " + name) // the tests themselves would start this binary again
		}
		mode(os.Args[1:])
		os.Exit(0)
	}
	PassOnNoIgnoredSignal() // some tests send them
	os.Exit(m.Run())
}

var modes map[string]func(args []string)

func init() {
	modes = map[string]func(args []string){
		"pass-on":     passOn,
		"session":     printSession,
		"exit":        func(args []string) { os.Exit(number(args[0])) },
		"print":       func(args []string) { printBytes(number(args[0])) },
		"read-stdin":  func([]string) { must(io.Copy(os.Stdout, os.Stdin)) },
		"env":         func([]string) { fmt.Println(strings.Join(os.Environ(), "\n")) },
		"pwd":         func([]string) { fmt.Println(must(os.Getwd())) },
		"ignore-term": func([]string) { signal.Ignore(syscall.SIGTERM); fmt.Println("ready"); block() },
		"catch-term":  func([]string) { onTerm("term"); block() },
		"polite":      func([]string) { onTerm("cleaned") },
		"thorough":    func(args []string) { onTerm("cleaning"); must(os.ReadFile(args[0])); fmt.Println("cleaned") },
		"leader":      func(args []string) { spawnSelf("thorough", nil, args...); block() },
		"hold":        hold,
		"leave":       leave,
		"double-fork": doubleFork,
		"unmarked":    unmarked,
		"tree":        growTree,
		"hider":       func(args []string) { hide("hold", args) },
		"deaf-hider":  func(args []string) { signal.Ignore(syscall.SIGTERM); hide("deaf-hold", args) },
		"deaf-hold":   func(args []string) { signal.Ignore(syscall.SIGTERM); hold(args) },
		"daemon":      daemon,
		"regroup":     regroup,
		"outlive":     outlive,
		"forget":      forget,
		"forbidden":   runForbidden,
		"closed":      runInClosed,
		"spies":       runSpies,
		"retitle":     retitle,
		"contained":   printContainment,
		"delegated":   func(args []string) { becomeNobody(); printContainment(args) },
		"headroom":    printHeadroom,
		"threads":     countThreads,
		"server":      serve,
		"emfile":      runOutOfFiles,
		"late-guard":  findGuardLater,
		"spare":       lookWithoutFiles,
		"orphans":     makeOrphans,
		"sandbox":     sandbox,
		"visibility":  logVisibility,
		"unknown-env": stopWithUnknownEnv,
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func number(text string) int { return must(strconv.Atoi(text)) }

func block() {
	for {
		_ = unix.Pause()
	}
}

func onTerm(say string) {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	fmt.Println("ready")
	<-terms
	fmt.Println(say)
}

func printBytes(n int) {
	line := []byte(strings.Repeat("0123456789abcde\n", 64))
	for ; n > 0; n -= len(line) {
		line = line[:min(n, len(line))]
		must(os.Stdout.Write(line))
		must(os.Stderr.Write(line))
	}
}

// spawnSelf starts this binary in a mode, with this process's stdout.
func spawnSelf(mode string, change func(*exec.Cmd), args ...string) {
	cmd := exec.Command(must(os.Executable()), args...)
	cmd.Env = append(os.Environ(), modeVar+"="+mode)
	cmd.Stdout = os.Stdout
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

func newSession(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func clearEnv(cmd *exec.Cmd) { cmd.Env = []string{modeVar + "=hold"} }

func noStdout(cmd *exec.Cmd) { cmd.Stdout = nil }

// hold opens a FIFO, writes its pid into it as a line, and keeps it open for
// as long as it lives. With a second argument it then ends its parent's wait.
func hold(args []string) {
	fifo := must(os.OpenFile(args[0], os.O_WRONLY, 0))
	must(fmt.Fprintf(fifo, "%d\n", os.Getpid()))
	if len(args) > 1 {
		must(os.NewFile(3, "parent").Write([]byte("x")))
	}
	block()
}

// holdFor starts hold and waits until it holds.
func holdFor(fifo string, change func(*exec.Cmd)) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	spawnSelf("hold", func(cmd *exec.Cmd) {
		cmd.ExtraFiles = []*os.File{w}
		change(cmd)
	}, fifo, "sync")
	w.Close()
	must(io.ReadFull(r, make([]byte, 1)))
}

// leave leaves a process in its group and ends.
func leave(args []string) { holdFor(args[0], noStdout) }

// doubleFork leaves a process that has left the group and has its stdout.
func doubleFork(args []string) { holdFor(args[0], newSession) }

// unmarked is doubleFork without a trace in the environment.
func unmarked(args []string) {
	holdFor(args[0], func(cmd *exec.Cmd) { newSession(cmd); clearEnv(cmd) })
}

// regroup leaves a process without markers that has a group of its own.
func regroup(args []string) {
	holdFor(args[0], func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		noStdout(cmd)
		clearEnv(cmd)
	})
}

// outlive stays when the parent of what regroup leaves has ended.
func outlive(args []string) {
	spawnSelf("regroup", nil, args[0])
	must(unix.Wait4(-1, nil, 0, nil))
	block()
}

// hide is a process with one, in a mode, that only its parent tells of. Both
// hold the FIFO, the other one first.
func hide(mode string, args []string) {
	holdFor(args[0], func(cmd *exec.Cmd) {
		newSession(cmd)
		noStdout(cmd)
		cmd.Env = []string{modeVar + "=" + mode}
	})
	hold(args[:1])
}

// treeSize is how many processes growTree comes to.
const treeSize = 6

// growTree is a process with one in its group, one there without markers, one
// with markers elsewhere, and one in its group that hides one. All hold the FIFO.
func growTree(args []string) {
	signal.Ignore(syscall.SIGTERM)
	spawnSelf("hider", noStdout, args[0])
	for _, change := range []func(*exec.Cmd){noStdout, clearEnv, newSession} {
		spawnSelf("hold", change, args[0])
	}
	hold(args[:1])
}

// serve is a server that runs a command, by default a tree, and says which
// process is its guard. It has cgroups where there are two arguments, and stays
// when the command has ended where there are three.
func serve(args []string) {
	c := must(New(Options{Logger: slog.New(guardTeller{slog.DiscardHandler})}))
	tree := "tree"
	if len(args) > 1 {
		tree = args[1]
	}
	if len(args) != 2 || tree == "outlive" {
		c.launcher.cgroups.forgo()
	}
	_, err := c.run(context.Background(), &Input{
		Argv: []string{must(os.Executable()), args[0]}, Env: map[string]*string{modeVar: &tree},
	}, task{
		id: uuid.NewString(), stdout: io.Discard, stderr: os.Stderr,
		started: func(int) { fmt.Println(guardOf(c)) },
	})
	if len(args) > 2 {
		block()
	}
	fmt.Fprintln(os.Stderr, "the tree ended:", err)
}

// daemon leaves a process in another session.
func daemon(args []string) {
	holdFor(args[0], func(cmd *exec.Cmd) { newSession(cmd); noStdout(cmd) })
}

// guardOf is the process id of the guard.
func guardOf(c *Runner) int {
	c.launcher.guard.mu.Lock()
	defer c.launcher.guard.mu.Unlock()
	return c.launcher.guard.proc.Pid
}

// guardTeller prints the pid that comes with the news of another guard.
type guardTeller struct{ slog.Handler }

func (guardTeller) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (guardTeller) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "pid" {
			fmt.Println(a.Value)
		}
		return true
	})
	return nil
}

// runOutOfFiles runs commands with ever more descriptors to be had, from none
// to enough, and prints how each went, and then what it cost.
func runOutOfFiles([]string) {
	c := must(New(Options{}))
	in := Input{Argv: []string{"true"}}
	must(c.Run(context.Background(), in))
	before := openFiles()
	for extra := range 20 {
		restore := leaveFiles(extra)
		_, err := c.Run(context.Background(), in)
		restore()
		fmt.Println(describe(err))
	}
	fmt.Println("leaked", openFiles()-before, zombies())
}

// leaveFiles leaves n descriptors to be had. There may be gaps between those
// that are open, so they are filled first, and the limit is above them all.
func leaveFiles(n int) (restore func()) {
	var limit syscall.Rlimit
	must(0, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	low := syscall.Rlimit{Cur: 300, Max: limit.Max}
	must(0, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	var filler []int
	for {
		fd, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		filler = append(filler, fd)
	}
	for _, fd := range filler[len(filler)-n:] {
		unix.Close(fd)
	}
	return func() {
		must(0, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
		for _, fd := range filler[:len(filler)-n] {
			unix.Close(fd)
		}
	}
}

// findGuardLater runs commands while no guard can be started, too soon to try
// again, and then, and prints whether there is one, and what was said.
func findGuardLater([]string) {
	var log strings.Builder
	c := must(New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}))
	runTrue := func() {
		_, err := c.Run(context.Background(), Input{Argv: []string{"true"}})
		fmt.Println(describe(err), c.launcher.guard.isKept())
	}
	restore := leaveFiles(5) // enough for the pipes of a command
	runTrue()
	c.launcher.guard.retry()
	runTrue()
	restore()
	c.launcher.guard.tried = time.Now().Add(time.Hour)
	runTrue()
	c.launcher.guard.retry()
	runTrue()
	fmt.Println(strings.Count(log.String(), "level=WARN"))
}

// retry lets the next command try to start a guard.
func (g *guard) retry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tried = time.Time{}
}

func (g *guard) isKept() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kept
}

// lookWithoutFiles looks at the processes when no descriptor is to be had but
// the one in reserve, and then without that.
func lookWithoutFiles([]string) {
	s := newScanner("x")
	before := openFiles()
	restore := leaveFiles(0)
	var kept []*os.File
	for range 2 {
		found, err := s.scanAll()
		fmt.Println(len(found) > 0, errors.Is(err, unix.EMFILE))
		kept = append(kept, s.proc.spare) // or the collector closes it
		s.proc.spare = new(os.File)       // a closed one: the descriptor stays taken
	}
	defer runtime.KeepAlive(kept)
	restore()
	fmt.Println(openFiles() - before)
}

// groupOf is the group of a process, and whether it lives.
func groupOf(pid int) (group int, alive bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	p := parseStat(pid, stat)
	if p == nil {
		return 0, false
	}
	return p.group, true
}

// openFiles counts the descriptors of this process.
func openFiles() int { return len(must(os.ReadDir("/proc/self/fd"))) - 1 }

// zombies says whether a child waits to be reaped.
func zombies() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err != unix.ECHILD && must(info.Signo, err) != 0
}
