package exec

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// TestFollow: when a process has exited, what it wrote is read at once unless
// that may become more; and all of it is read in the end.
func TestFollow(t *testing.T) {
	tests := map[string]struct {
		bytes      int
		held, over bool
	}{
		"nothing":                        {0, false, true},
		"a read's worth":                 {copyBytes, false, true},
		"one byte more":                  {copyBytes + 1, false, true},
		"much":                           {1 << 20, false, true},
		"somebody has it open":           {10, true, false},
		"and has written much":           {1 << 20, true, false},
		"and has written a read's worth": {copyBytes, true, false},
	}
	exited, exit, err := os.Pipe() // stands for a process that has exited
	require.NoError(t, err)
	require.NoError(t, exit.Close())
	defer exited.Close()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr screen
			s, err := openStreams(stdinSource{}, &stdout, &stderr)
			require.NoError(t, err)
			_, err = unix.FcntlInt(s.child[1].Fd(), unix.F_SETPIPE_SZ, 1<<20)
			require.NoError(t, err)
			holder, err := unix.Dup(int(s.child[1].Fd()))
			require.NoError(t, err)
			text := strings.Repeat("0123456789abcdef", test.bytes/16+1)[:test.bytes]
			_, err = s.child[1].WriteString(text)
			require.NoError(t, err)
			_, err = s.child[2].WriteString("oh")
			require.NoError(t, err)
			s.closeChild()
			if !test.held {
				unix.Close(holder)
			}
			s.readUntilExit(int(exited.Fd()))
			require.Equal(t, test.over, s.pending.Load() == 0)
			s.copyInBackground()
			if test.held {
				unix.Close(holder)
			}
			<-s.finished
			require.False(t, s.drain(nil))
			require.True(t, stdout.String() == text, "%d bytes", len(stdout.String()))
			require.Equal(t, "oh", stderr.String())
			require.Equal(t, "oh", s.stderrTail())
		})
	}
}

// TestClosesItsOutput: a command that has closed its output still runs.
func TestClosesItsOutput(t *testing.T) {
	f := newFIFO(t)
	a := begin(t, newCommand(t, Options{}), Input{Argv: []string{
		"sh", "-c", `echo out; exec >&-; echo err >&2; exec 2>&-; read line <"$0"; exit 3`, f.path,
	}})
	a.stdout.await(t, "out\n")
	a.stderr.await(t, "err\n")
	f.release(t)
	a.wait(t)
	failure := a.failure(t)
	require.Equal(t, schema.KindExit, failure.Kind)
	require.Equal(t, new(3), failure.ExitCode)
	require.Equal(t, "err\n", failure.StderrTail)
}

// TestNeedsNoGoroutine: a command that leaves nobody behind is read to the end
// by who waits for it.
func TestNeedsNoGoroutine(t *testing.T) {
	c := newCommand(t, Options{})
	in := self("print", "100000")
	p, err := c.command(&in, "a task")
	require.NoError(t, err)
	tree, out, err := c.start(p, &task{stdout: io.Discard, stderr: io.Discard}, &Input{})
	require.NoError(t, err)
	tree.waitExit(out)
	require.Nil(t, out.out[0].from.file)
	require.Nil(t, out.out[1].from.file)
	e := supervise(t.Context(), tree, out, nil)
	require.NoError(t, e.failure("it", out))
}

// TestWithoutHandles: where the system has no descriptors for processes.
func TestWithoutHandles(t *testing.T) {
	c := newCommand(t, Options{})
	in := self("print", "100000")
	p, err := c.command(&in, "a task")
	require.NoError(t, err)
	var stdout, stderr screen
	tree, out, err := c.start(p, &task{stdout: &stdout, stderr: &stderr}, &Input{})
	require.NoError(t, err)
	require.NoError(t, tree.proc.Release())
	tree.proc = &os.Process{Pid: tree.pid}
	e := supervise(t.Context(), tree, out, nil)
	require.NoError(t, e.failure("it", out))
	require.False(t, e.leaked)
	require.Len(t, stdout.String(), 100000)
	require.Equal(t, stdout.String(), stderr.String())
}
