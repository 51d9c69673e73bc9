package exec

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// patience is how long a test waits for what must come soon.
const patience = time.Minute

// self is this binary in a mode, as a command.
func self(mode string, args ...string) Input {
	return Input{
		Argv: append([]string{must(os.Executable())}, args...),
		// without GORACE a binary with the race detector takes a second to exit
		Env: map[string]*string{modeVar: &mode, "GORACE": new("atexit_sleep_ms=0")},
	}
}

// newScanning is newCommand without cgroups.
func newScanning(t testing.TB, o Options) *Runner {
	c := newCommand(t, o)
	c.launcher.cgroups.forgo()
	return c
}

// forgo does without cgroups.
func (c *cgroupPool) forgo() { c.opening.Do(func() { c.why = errors.New("a test does without") }) }

// eachWay tests with cgroups, where they are to be had, and without.
func eachWay(t *testing.T, test func(*testing.T, *Runner)) {
	t.Run("cgroup", func(t *testing.T) {
		c := newCommand(t, Options{})
		if c.launcher.cgroups.open() == "" {
			t.Skip("there are no control groups to be had: ", c.launcher.cgroups.why)
		}
		test(t, c)
	})
	t.Run("scan", func(t *testing.T) { test(t, newScanning(t, Options{})) })
}

// attempt is a run of a command.
type attempt struct {
	stdout, stderr screen
	pids           []int // with which it was said to have started
	started        chan struct{}
	killed         chan struct{} // closed by kill
	killing        sync.Once
	cancel         context.CancelCauseFunc
	done           chan struct{}
	result         Result
	err            error
}

var errStop = errors.New("stop")

// begin runs a command in the background.
func begin(t testing.TB, c *Runner, in Input) *attempt {
	a := &attempt{started: make(chan struct{}), killed: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithCancelCause(context.Background())
	a.cancel = cancel
	go func() {
		defer close(a.done)
		a.result, a.err = c.run(ctx, &in, task{
			id: uuid.NewString(), stdout: &a.stdout, stderr: &a.stderr,
			started: func(pid int) {
				if a.pids = append(a.pids, pid); len(a.pids) == 1 {
					close(a.started)
				}
			}, killed: a.killed,
		})
	}()
	t.Cleanup(func() { // also where the test has failed
		cancel(errStop)
		a.kill()
		<-a.done
	})
	return a
}

// kill ends the grace of the command.
func (a *attempt) kill() { a.killing.Do(func() { close(a.killed) }) }

// pid waits for the start of the command and returns its process id. What the command
// writes may come before its start is told.
func (a *attempt) pid(t testing.TB) int {
	select {
	case <-a.started:
	case <-time.After(patience):
		require.FailNow(t, "the command does not start")
	}
	return a.pids[0]
}

// run runs a command to its end.
func run(t testing.TB, c *Runner, in Input) *attempt {
	a := begin(t, c, in)
	a.wait(t)
	return a
}

func (a *attempt) wait(t testing.TB) {
	select {
	case <-a.done:
	case <-time.After(patience):
		require.FailNow(t, "the command does not end", "stdout: %s", a.stdout.String())
	}
}

// failure is the error of a run that failed.
func (a *attempt) failure(t testing.TB) schema.TaskError {
	f, ok := errors.AsType[*executor.Failure](a.err)
	require.True(t, ok, "error: %v", a.err)
	return f.TaskError
}

// describe is an error in a few words.
func describe(err error) string {
	f, ok := errors.AsType[*executor.Failure](err)
	if !ok {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(f.Kind, " ", f.Errno, " ", f.Retryable)
}

// screen keeps what is written, for many goroutines.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed at the next write
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the text was written.
func (s *screen) await(t testing.TB, text string) {
	late := time.After(patience)
	for {
		s.mu.Lock()
		if strings.Contains(s.text.String(), text) {
			s.mu.Unlock()
			return
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			require.FailNow(t, "was not written", "%q in %q", text, s.String())
		}
	}
}

// fifo is held open by processes, and tells when the last of them has ended.
type fifo struct {
	path string
	file *os.File
	read *bufio.Reader
}

func newFIFO(t testing.TB) *fifo {
	f := &fifo{path: filepath.Join(t.TempDir(), "fifo")}
	require.NoError(t, unix.Mkfifo(f.path, 0o600))
	return f
}

// holders waits until n processes hold it, and answers their ids.
func (f *fifo) holders(t testing.TB, n int) []int {
	var err error
	f.file, err = os.Open(f.path) // waits for the first
	require.NoError(t, err)
	t.Cleanup(func() { f.file.Close() })
	require.NoError(t, f.file.SetReadDeadline(time.Now().Add(patience)))
	f.read = bufio.NewReader(f.file)
	pids := make([]int, n)
	for i := range pids {
		_, err := fmt.Fscanln(f.read, &pids[i])
		require.NoError(t, err)
	}
	return pids
}

// release ends the wait of who reads it to its end.
func (f *fifo) release(t testing.TB) {
	file, err := os.OpenFile(f.path, os.O_WRONLY, 0) // waits for the reader
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

// requireLetGo waits until no process holds it.
func (f *fifo) requireLetGo(t testing.TB) {
	require.NoError(t, f.file.SetReadDeadline(time.Now().Add(patience)))
	_, err := f.read.ReadByte()
	require.EqualError(t, err, "EOF")
}

// requireFree says that no process holds it now.
func (f *fifo) requireFree(t testing.TB) {
	raw, err := f.file.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		n, err := unix.Read(int(fd), make([]byte, 1))
		require.NoError(t, err, "a process still lives")
		require.Zero(t, n)
		return true
	}))
}

// awaitStat waits until a process is in a state, or has a parent.
func awaitStat(t testing.TB, pid int, what string, is func(state string, parent int) bool) {
	for until := time.Now().Add(patience); time.Now().Before(until); {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.NoError(t, err)
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if is(fields[statState], number(fields[statParent])) {
			return
		}
	}
	require.FailNow(t, "it does not become "+what)
}
