package exec

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// startUnrelated starts a process that is no command's, and answers it and its start.
func startUnrelated(t *testing.T, c *Runner) (pid int, start string) {
	cmd := exec.Command("sleep", "1000")
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	p, err := c.launcher.scan.process(cmd.Process.Pid, false)
	require.NoError(t, err)
	return p.pid, p.start
}

// requireLives says that a child has not ended, also not by a signal that was
// sent before the call.
func requireLives(t *testing.T, pid int) {
	require.NoError(t, unix.Kill(pid, unix.SIGSTOP)) // signals of one process come in order, but SIGKILL first
	awaitStat(t, pid, "stopped", func(state string, _ int) bool {
		require.NotEqual(t, "Z", state, "it was killed")
		return state == "T"
	})
	require.NoError(t, unix.Kill(pid, unix.SIGCONT))
}

// TestNumberHasChangedHands: that a look has seen a process of the command under
// a number is no reason to signal who has it now.
func TestNumberHasChangedHands(t *testing.T) {
	c := newScanning(t, Options{})
	stranger, start := startUnrelated(t, c)
	a := begin(t, c, Input{Argv: []string{"sh", "-c", `trap "" TERM; echo ready; sleep 1000`}})
	a.stdout.await(t, "ready")
	leader, looks := a.pid(t), 0
	c.launcher.scan.look = func() ([]process, error) {
		all, err := c.launcher.scan.scanAll()
		if looks++; looks > 5 {
			return all, err
		}
		return append(all, process{pid: stranger, parent: leader, group: leader, session: leader, start: start + "0"}), err
	}
	a.cancel(errStop)
	requireLives(t, stranger)
	a.kill()
	a.wait(t)
	require.False(t, a.failure(t).Leaked)
	requireLives(t, stranger)
}

// TestIsAskedOnce: that others end while the processes are looked at is no reason
// to ask one a second time.
func TestIsAskedOnce(t *testing.T) {
	c := newScanning(t, Options{})
	const stray = `trap "echo term" TERM; echo ready; while :; do sleep 0.01; done`
	a := begin(t, c, Input{Argv: []string{"sh", "-c", `setsid sh -c "$0" & wait; sleep 1000`, stray}})
	a.stdout.await(t, "ready")
	leader, looks := a.pid(t), make(chan struct{}, 2)
	c.launcher.scan.look = func() ([]process, error) {
		all, err := c.launcher.scan.scanAll()
		select {
		case looks <- struct{}{}:
			return append(all, process{pid: os.Getpid(), session: leader, start: "0"}), err // it is gone
		default:
			return all, err
		}
	}
	a.cancel(errStop)
	a.stdout.await(t, "term")
	for len(looks) < cap(looks) {
		time.Sleep(groupPoll)
	}
	time.Sleep(10 * groupPoll) // it would have been asked by now
	a.kill()
	a.wait(t)
	require.Equal(t, 1, strings.Count(a.stdout.String(), "term"))
}

// TestSignalsNoStranger: neither by a number that is another's by now, nor by
// that of a process that has ended.
func TestSignalsNoStranger(t *testing.T) {
	c := newCommand(t, Options{})
	stranger, start := startUnrelated(t, c)
	over := exec.Command("true")
	require.NoError(t, over.Start())
	ended, err := unix.PidfdOpen(over.Process.Pid, 0)
	require.NoError(t, err)
	defer unix.Close(ended)
	require.NoError(t, over.Wait())

	tree := &tree{scan: c.launcher.scan}
	tree.signal(processHandle{pid: stranger, start: start + "0", fd: -1}, unix.SIGKILL)
	tree.signal(processHandle{pid: stranger, start: start, fd: ended}, unix.SIGKILL)
	requireLives(t, stranger)
	kept, err := tree.confirm([]processHandle{{pid: stranger, start: start + "0", fd: -1}, {pid: stranger, inCgroup: true, fd: -1}})
	require.ErrorIs(t, err, errTreeChanged)
	require.Empty(t, kept)
	tree.signal(processHandle{pid: stranger, start: start, fd: -1}, unix.SIGTERM)
	awaitStat(t, stranger, "ended", func(state string, _ int) bool { return state == "Z" })
}

// TestForksWhileItIsKilled: what is forked between a look and a kill is killed,
// too.
func TestForksWhileItIsKilled(t *testing.T) {
	c := newScanning(t, Options{})
	f := newFIFO(t)
	a := begin(t, c, startChain(t, f.path, "setsid"))
	f.holders(t, chainLinks)
	looks := 0
	c.launcher.scan.look = func() ([]process, error) {
		all, err := c.launcher.scan.scanAll()
		if looks++; looks <= 5 {
			time.Sleep(50 * time.Millisecond) // who was seen is gone
		}
		return all, err
	}
	stop(t, a)
	f.requireFree(t)
	require.False(t, a.failure(t).Leaked)
}

// TestStopsBeforeItLooks: the group forks nothing between the look and the kill
// that the look does not know, and that nothing else tells of.
func TestStopsBeforeItLooks(t *testing.T) {
	c, f := newScanning(t, Options{}), newFIFO(t)
	trigger := filepath.Join(t.TempDir(), "trigger")
	const script = `until [ -e "$0" ]; do sleep 0.01; done; env -i setsid sh -c 'exec 3>"$0"; while :; do sleep 1000; done' "$1" & wait`
	in := Input{Argv: []string{"sh", "-c", script, trigger, f.path}}
	p, err := c.command(&in, "a task")
	require.NoError(t, err)
	tree, out, err := c.start(p, &task{stdout: io.Discard, stderr: io.Discard}, &Input{})
	require.NoError(t, err)
	out.begin()
	reader, err := unix.Open(f.path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(reader)
	var once sync.Once
	c.launcher.scan.look = func() ([]process, error) {
		all, err := c.launcher.scan.scanAll()
		once.Do(func() {
			write(t, trigger, "", 0o600)
			time.Sleep(200 * time.Millisecond) // it would have forked by now
		})
		return all, err
	}
	require.True(t, tree.kill())
	supervise(t.Context(), tree, out, nil)
	n, err := unix.Read(reader, make([]byte, 1))
	require.NoError(t, err, "a process that was forked meanwhile lives")
	require.Zero(t, n)
}

// TestAsksInTheCgroup: what nothing but the cgroup tells of has its grace, too.
func TestAsksInTheCgroup(t *testing.T) {
	c := newWithCgroups(t, Options{})
	const orphan = `trap "echo cleaned; exit" TERM; echo ready; while :; do sleep 0.01; done`
	a := begin(t, c, Input{Argv: []string{"sh", "-c", `(env -i PATH="$PATH" setsid sh -c "$0" &); sleep 1000`, orphan}})
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	a.wait(t)
	require.False(t, a.failure(t).Forced)
	require.Contains(t, a.stdout.String(), "cleaned")
}

// TestFrozenCgroup: a command is not started where it would be frozen.
func TestFrozenCgroup(t *testing.T) {
	c := newWithCgroups(t, Options{})
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	cgroup := c.launcher.cgroups.idle[0]
	require.NoError(t, os.WriteFile(filepath.Join(cgroup.path, "cgroup.freeze"), []byte("1"), 0))
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	require.Equal(t, 2, c.launcher.cgroups.made)
}
