package exec

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

func TestStopsWhenAsked(t *testing.T) { eachWay(t, stopsWhenAsked) }

func stopsWhenAsked(t *testing.T, c *Runner) {
	a := begin(t, c, self("polite"))
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	a.wait(t)
	f := a.failure(t)
	require.Equal(t, 0, *f.ExitCode)
	require.False(t, f.Forced)
	require.Contains(t, a.stdout.String(), "cleaned")
}

// TestIgnoresTheRequest: SIGTERM changes nothing, SIGKILL ends it.
func TestIgnoresTheRequest(t *testing.T) {
	for _, mode := range []string{"ignore-term", "catch-term"} {
		t.Run(mode, func(t *testing.T) {
			c := newCommand(t, Options{})
			a := begin(t, c, self(mode))
			a.stdout.await(t, "ready")
			a.cancel(errStop)
			if mode == "catch-term" {
				a.stdout.await(t, "term")
			}
			a.kill()
			a.wait(t)
			f := a.failure(t)
			require.Equal(t, "SIGKILL", f.Signal)
			require.Equal(t, schema.KindSignal, f.Kind)
			require.True(t, f.Forced)
			require.False(t, f.Leaked)
		})
	}
}

// TestGraceIsTheGroups: that the first process has ended takes nothing from
// the time of the others.
func TestGraceIsTheGroups(t *testing.T) { eachWay(t, graceIsTheGroups) }

func graceIsTheGroups(t *testing.T, c *Runner) {
	f := newFIFO(t)
	a := begin(t, c, self("leader", f.path))
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	a.stdout.await(t, "cleaning")
	require.NoError(t, unix.Waitid(unix.P_PID, a.pid(t), &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil))
	f.release(t) // only now the other one goes on
	a.wait(t)
	failure := a.failure(t)
	require.Equal(t, "SIGTERM", failure.Signal)
	require.False(t, failure.Forced)
	require.Contains(t, a.stdout.String(), "cleaned")
}

// TestKillsTheTree: with what has cleared its environment, and what has left the group.
func TestKillsTheTree(t *testing.T) { eachWay(t, killsTheTree) }

func killsTheTree(t *testing.T, c *Runner) {
	f := newFIFO(t)
	a := begin(t, c, self("tree", f.path))
	f.holders(t, treeSize)
	a.cancel(errStop)
	a.kill()
	a.wait(t)
	f.requireFree(t)
	require.False(t, a.failure(t).Leaked)
	require.False(t, zombies())
}

// TestOwnGroupInTheSession: what has only made a group of its own is known by its
// session, as a shell's job is.
func TestOwnGroupInTheSession(t *testing.T) { eachWay(t, ownGroupInTheSession) }

func ownGroupInTheSession(t *testing.T, c *Runner) {
	f := newFIFO(t)
	in := self("regroup", f.path)
	in.Argv = []string{"sh", "-c", `"$0" "$1"; echo ready; sleep 1000`, in.Argv[0], f.path}
	a := begin(t, c, in)
	f.holders(t, 1)
	a.stdout.await(t, "ready") // its parent has ended
	stop(t, a)
	f.requireFree(t)
}

// TestStrayIsAskedFirst: a process that has left the group is told to end, too.
func TestStrayIsAskedFirst(t *testing.T) { eachWay(t, strayIsAskedFirst) }

func strayIsAskedFirst(t *testing.T, c *Runner) {
	in := self("polite")
	in.Argv = []string{"sh", "-c", `setsid "$0" & wait`, in.Argv[0]}
	a := begin(t, c, in)
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	a.wait(t)
	require.False(t, a.failure(t).Forced)
	require.Contains(t, a.stdout.String(), "cleaned")
}

// TestLeftovers: what a command leaves in its group ends with it, and before
// it is said to have ended.
func TestLeftovers(t *testing.T) { eachWay(t, leftovers) }

func leftovers(t *testing.T, c *Runner) {
	f := newFIFO(t)
	a := begin(t, c, self("leave", f.path))
	f.holders(t, 1)
	a.wait(t)
	require.NoError(t, a.err)
	require.False(t, a.result.Leaked)
	f.requireFree(t)
}

// TestHeldPipes: a process that has left the group and holds the output delays
// the end a little, and is killed.
func TestHeldPipes(t *testing.T) { eachWay(t, heldPipes) }

func heldPipes(t *testing.T, c *Runner) {
	f := newFIFO(t)
	a := begin(t, c, self("double-fork", f.path))
	f.holders(t, 1)
	a.wait(t)
	require.NoError(t, a.err)
	require.False(t, a.result.Leaked)
	f.requireFree(t)
}

// TestLeaked: what has left the group and carries no marker cannot be known
// for the command's, but is reported.
func TestLeaked(t *testing.T) {
	c := newScanning(t, Options{})
	f := newFIFO(t)
	before := openFiles()
	a := begin(t, c, self("unmarked", f.path))
	pid := f.holders(t, 1)[0]
	a.wait(t)
	require.NoError(t, a.err)
	require.True(t, a.result.Leaked)
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	f.requireLetGo(t)
	require.NoError(t, f.file.Close())
	require.LessOrEqual(t, openFiles(), before+5) // the guard's, and no pipe of the command
}

// TestOthersAreSpared: only what has both markers is a command's.
func TestOthersAreSpared(t *testing.T) {
	c := newCommand(t, Options{})
	other := newCommand(t, Options{})
	a := begin(t, other, self("polite"))
	a.stdout.await(t, "ready")
	pid := a.pid(t)
	tests := map[string]struct {
		by   *Runner
		task string
		want bool
	}{
		"its own":        {other, taskOf(t, pid), true},
		"another task":   {other, "another", false},
		"another server": {c, taskOf(t, pid), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := test.by.launcher.scan.process(pid, true)
			require.NoError(t, err)
			require.Equal(t, pid, p.group)
			require.Equal(t, test.want, (&tree{mark: test.by.mark(test.task)}).hasMark(p))
		})
	}
}

// TestEndedBeforeItWasTold: that this process learns of a command's end and of
// the end of its time together, as after a sleep, is not for the command to pay.
func TestEndedBeforeItWasTold(t *testing.T) {
	c := newCommand(t, Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	in := self("exit", "0")
	p, err := c.command(&in, "a task")
	require.NoError(t, err)
	tree, out, err := c.start(p, &task{stdout: io.Discard, stderr: io.Discard}, &Input{})
	require.NoError(t, err)
	out.begin()
	require.NoError(t, unix.Waitid(unix.P_PID, tree.pid, &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil))
	cancel(errStop)
	e := supervise(ctx, tree, out, nil)
	require.False(t, e.stopRequested)
	require.NoError(t, e.failure("it", out))
}

// TestHidden: what has left the group and cleared its environment is known by
// its parent, also when that has ended.
func TestHidden(t *testing.T) { eachWay(t, hidden) }

func hidden(t *testing.T, c *Runner) {
	t.Run("asked", func(t *testing.T) {
		f := newFIFO(t)
		a := begin(t, c, self("hider", f.path))
		f.holders(t, 2)
		a.cancel(errStop)
		a.wait(t)
		f.requireFree(t)
		require.False(t, a.failure(t).Forced)
	})
	t.Run("killed", func(t *testing.T) {
		f := newFIFO(t)
		in := self("deaf-hider")
		in.Argv = []string{"sh", "-c", `"$0" "$1" & wait`, in.Argv[0], f.path}
		a := begin(t, c, in)
		pids := f.holders(t, 2)
		hidden, parent := pids[0], pids[1]
		a.cancel(errStop)
		require.NoError(t, unix.Waitid(unix.P_PID, a.pid(t), &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil))
		require.NoError(t, unix.Kill(parent, unix.SIGKILL)) // all have been asked by now
		awaitStat(t, hidden, "an orphan", func(_ string, is int) bool { return is != parent })
		a.kill()
		a.wait(t)
		f.requireFree(t)
		require.True(t, a.failure(t).Forced)
		require.False(t, a.failure(t).Leaked)
	})
}

// TestStoppedIsAsked: a process that is stopped has its grace, and not more.
func TestStoppedIsAsked(t *testing.T) {
	for name, before := range map[string]string{"in the group": "", "outside": "setsid "} {
		t.Run(name, func(t *testing.T) {
			c := newCommand(t, Options{})
			in := self("polite")
			in.Argv = []string{"sh", "-c", before + `"$0" & echo pid $!.; wait`, in.Argv[0]}
			a := begin(t, c, in)
			a.stdout.await(t, "ready")
			a.stdout.await(t, ".\n")
			_, rest, _ := strings.Cut(a.stdout.String(), "pid ")
			first, _, _ := strings.Cut(rest, ".\n")
			pid := number(first)
			require.NoError(t, unix.Kill(pid, unix.SIGSTOP))
			awaitStat(t, pid, "stopped", func(state string, _ int) bool { return state == "T" })
			a.cancel(errStop)
			a.wait(t)
			require.False(t, a.failure(t).Forced)
			require.Contains(t, a.stdout.String(), "cleaned")
		})
	}
}
