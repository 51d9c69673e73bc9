package exec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// taskOf reads a process's marker.
func taskOf(t *testing.T, pid int) string {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	require.NoError(t, err)
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if value, ok := strings.CutPrefix(string(v), taskVar+"="); ok {
			return value
		}
	}
	require.FailNow(t, "no marker")
	return ""
}

// server is another process that runs a tree of commands.
type server struct {
	*exec.Cmd
	warned *bufio.Reader
}

// startServer starts a server without cgroups. With a mode it runs that as its
// command, in a cgroup where there are some.
func startServer(t *testing.T, f *fifo, mode ...string) *server {
	cmd := exec.Command(must(os.Executable()), append([]string{f.path}, mode...)...)
	cmd.Env = append(os.Environ(), modeVar+"=server")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &server{cmd, bufio.NewReader(out)}
}

// guard reads the id of the next guard, and answers a handle for it.
func (s *server) guard(t *testing.T) int {
	var pid int
	_, err := fmt.Fscanln(s.warned, &pid)
	require.NoError(t, err)
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func requireEnds(t *testing.T, pidfd int) {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for until := time.Now().Add(patience); time.Now().Before(until); {
		n, err := unix.Poll(fds, int(time.Until(until).Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		require.NoError(t, err)
		require.Equal(t, 1, n, "it does not end")
		return
	}
	require.FailNow(t, "it does not end")
}

// TestServerIsKilled: the whole tree, what has cleared its environment and
// what has left the group, ends with a server that had no time for anything.
func TestServerIsKilled(t *testing.T) {
	f := newFIFO(t)
	s := startServer(t, f)
	f.holders(t, treeSize)
	guard := s.guard(t)
	require.NoError(t, s.Process.Kill())
	f.requireLetGo(t)
	requireEnds(t, guard)
}

// TestServerIsKilledWithSession: what has only made a group of its own ends, too.
func TestServerIsKilledWithSession(t *testing.T) {
	f := newFIFO(t)
	s := startServer(t, f, "outlive")
	pid := f.holders(t, 1)[0]
	awaitStat(t, pid, "an orphan", func(_ string, parent int) bool {
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", parent))
		return program != must(os.Executable())
	})
	require.NoError(t, s.Process.Kill())
	f.requireLetGo(t)
}

// TestGuardIsKilled: another one takes its place and knows what it knew.
func TestGuardIsKilled(t *testing.T) {
	f := newFIFO(t)
	s := startServer(t, f)
	f.holders(t, treeSize)
	first := s.guard(t)
	require.NoError(t, unix.PidfdSendSignal(first, unix.SIGKILL, nil, 0))
	second := s.guard(t)
	require.NoError(t, s.Process.Kill())
	f.requireLetGo(t)
	requireEnds(t, second)
}

// awaitTraps waits until a guard ignores what it is to ignore.
func awaitTraps(t *testing.T, pidfd int) {
	info, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(info), "Pid:")
	status := "/proc/" + strings.Fields(rest)[0] + "/status"
	for until := time.Now().Add(patience); time.Now().Before(until); {
		text, err := os.ReadFile(status)
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(text), "SigIgn:")
		ignored, err := strconv.ParseUint(strings.Fields(rest)[0], 16, 64)
		require.NoError(t, err)
		const want = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGINT-1) | 1<<(unix.SIGHUP-1)
		if ignored&want == want {
			return
		}
	}
	require.FailNow(t, "the guard ignores no signals")
}

// TestGuardIsNotAsked: the guard ends with the server and not before.
func TestGuardIsNotAsked(t *testing.T) {
	f := newFIFO(t)
	s := startServer(t, f)
	f.holders(t, treeSize)
	guard := s.guard(t)
	awaitTraps(t, guard)
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		require.NoError(t, unix.PidfdSendSignal(guard, signal, nil, 0))
	}
	require.NoError(t, s.Process.Kill())
	f.requireLetGo(t) // by the first guard: another would have been told of
	rest, err := io.ReadAll(s.warned)
	require.NoError(t, err)
	require.Empty(t, rest)
}

// TestDiesWithTheServer: the command itself needs no guard for that.
func TestDiesWithTheServer(t *testing.T) {
	f := newFIFO(t)
	s := startServer(t, f)
	pids := f.holders(t, treeSize)
	leader := slices.IndexFunc(pids, func(pid int) bool {
		group, err := unix.Getpgid(pid)
		return err == nil && group == pid && parentOf(t, pid) == s.Process.Pid
	})
	require.NotEqual(t, -1, leader)
	fd, err := unix.PidfdOpen(pids[leader], 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	guard := s.guard(t)
	require.NoError(t, unix.PidfdSendSignal(guard, unix.SIGSTOP, nil, 0))
	require.NoError(t, s.Process.Kill())
	requireEnds(t, fd)
	require.NoError(t, unix.PidfdSendSignal(guard, unix.SIGCONT, nil, 0))
	f.requireLetGo(t)
}

// parentOf is the process id of a process's parent.
func parentOf(t *testing.T, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "PPid:")
	return number(strings.Fields(rest)[0])
}

// TestGuardIsStopped: Close does not wait for it for long.
func TestGuardIsStopped(t *testing.T) {
	c, err := New(Options{})
	require.NoError(t, err)
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	require.NoError(t, unix.Kill(guardOf(c), unix.SIGSTOP))
	require.NoError(t, c.Close())
	require.False(t, zombies())
}

// TestGuardEndsWithClose: and takes what is left with it.
func TestGuardEndsWithClose(t *testing.T) {
	c, err := New(Options{})
	require.NoError(t, err)
	f := newFIFO(t)
	in := self("double-fork", f.path)
	in.Argv = []string{"sh", "-c", `exec "$0" "$1" >/dev/null`, in.Argv[0], f.path}
	a := begin(t, c, in)
	f.holders(t, 1)
	a.wait(t)
	require.NoError(t, a.err) // a stray that holds nothing may stay
	guard, err := unix.PidfdOpen(guardOf(c), 0)
	require.NoError(t, err)
	defer unix.Close(guard)
	require.NoError(t, c.Close())
	requireEnds(t, guard)
	f.requireLetGo(t)
}

// TestGuardHoldsNothing: not the server's own input and output.
func TestGuardHoldsNothing(t *testing.T) {
	c := newCommand(t, Options{})
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	dir := fmt.Sprintf("/proc/%d/fd/", guardOf(c))
	for fd, want := range map[string]string{"0": "pipe:", "1": os.DevNull, "2": os.DevNull, "3": "/memfd:"} {
		target, err := os.Readlink(dir + fd)
		require.NoError(t, err)
		require.Contains(t, target, want)
	}
	group, err := unix.Getsid(guardOf(c))
	require.NoError(t, err)
	require.Equal(t, guardOf(c), group)
}

// TestGuardIsFoundLater: that the first could not be started is no reason to
// have none, and is said once.
func TestGuardIsFoundLater(t *testing.T) {
	a := run(t, newCommand(t, Options{}), self("late-guard"))
	require.NoError(t, a.err, "%s", a.stderr.String())
	want := "spawn EMFILE true false\nspawn EMFILE true false\n<nil> false\n<nil> true\n1\n"
	require.Equal(t, want, a.stdout.String())
}

// TestGuardIsGivenUp: one that dies again and again is not kept, until later.
func TestGuardIsGivenUp(t *testing.T) {
	c := newCommand(t, Options{})
	g := &c.launcher.guard
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	for until := time.Now().Add(patience); g.isKept(); {
		require.True(t, time.Now().Before(until), "it is kept for ever")
		_ = g.current().Kill()
	}
	g.retry()
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
	require.True(t, g.isKept())
}

func TestTable(t *testing.T) {
	groupTable, err := newGroupTable()
	require.NoError(t, err)
	defer groupTable.close()
	content := func() string {
		text, err := io.ReadAll(io.NewSectionReader(groupTable.file, 0, 1<<20))
		require.NoError(t, err)
		return string(text)
	}
	a, b := groupTable.add(12), groupTable.add(4194304)
	require.Equal(t, "12        \n4194304   \n", content())
	groupTable.remove(a)
	require.Equal(t, "          \n4194304   \n", content())
	require.Equal(t, a, groupTable.add(7), "the slot is used again")
	groupTable.remove(b)
	require.Equal(t, "7         \n          \n", content())
	for range maxSlots - 1 {
		require.NotEqual(t, int64(noSlot), groupTable.add(1))
	}
	require.Equal(t, int64(noSlot), groupTable.add(1), "one past the limit")
	groupTable.remove(noSlot)
	require.Len(t, content(), maxSlots*slotBytes)
}

func TestNoTable(t *testing.T) {
	var groupTable *groupTable
	require.Equal(t, int64(noSlot), groupTable.add(1))
	groupTable.remove(noSlot)
}
