package exec

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTaskGroups(t *testing.T) {
	const (
		v1    = "39 31 0:36 / MOUNT/pids rw,relatime shared:5 - cgroup cgroup rw,pids\n"
		v2    = "41 31 0:38 / MOUNT/unified rw,relatime - cgroup2 cgroup2 rw\n"
		other = "32 31 0:29 / MOUNT/cpu rw,relatime - cgroup cgroup rw,cpu\n"
		space = `41 31 0:38 / MOUNT/a\040b\134 rw - cgroup2 none rw` + "\n"
		inner = "41 31 0:38 /host/box MOUNT/unified rw,relatime - cgroup2 cgroup2 rw\n"
	)
	tests := map[string]struct {
		list, mounts string
		want         []string
	}{
		"version 2":           {"0::/a/b\n", v2, []string{"/unified/a/b", "/unified/a", "/unified/"}},
		"version 1":           {"8:pids:/a\n0::/b\n", v1 + other, []string{"/pids/a", "/pids/"}},
		"both":                {"8:cpu,pids:/a\n0::/b\n", v1 + v2, []string{"/pids/a", "/pids/", "/unified/b", "/unified/"}},
		"another controller":  {"8:cpu:/a\n", other, nil},
		"not mounted":         {"0::/a\n", other, nil},
		"a path with a space": {"0::/c d\n", space, []string{`/a b\/c d`, `/a b\/`}},
		"a container":         {"0::/host/box/in\n", inner, []string{"/unified/in", "/unified/"}},
		"its own name space":  {"0::/in\n", inner, []string{"/unified/"}},
		"the like of it":      {"0::/host/boxes\n", v2, []string{"/unified/host/boxes", "/unified/host", "/unified/"}},
		"outside":             {"0::/../x\n", v2, []string{"/unified/"}},
		"rubbish":             {"x\n", "y\n41 - cgroup2\n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			list := write(t, filepath.Join(dir, "list"), test.list, 0o600)
			mounts := write(t, filepath.Join(dir, "mounts"), strings.ReplaceAll(test.mounts, "MOUNT", ""), 0o600)
			require.Equal(t, test.want, taskGroups(list, mounts))
		})
	}
	require.Empty(t, taskGroups("/nonexistent", "/nonexistent"))
}

func TestGroupRoom(t *testing.T) {
	tests := map[string]struct {
		inner, outer [2]string // pids.max and pids.current
		want         int
	}{
		"limited":       {[2]string{"100\n", "30\n"}, [2]string{"max\n", "500\n"}, 70},
		"by its parent": {[2]string{"max\n", "30\n"}, [2]string{"200\n", "190\n"}, 10},
		"by both":       {[2]string{"50\n", "30\n"}, [2]string{"200\n", "90\n"}, 20},
		"full":          {[2]string{"30\n", "31\n"}, [2]string{"max\n", "31\n"}, -1},
		"no limit":      {[2]string{"max\n", "30\n"}, [2]string{"max\n", "31\n"}, math.MaxInt},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			outer := t.TempDir()
			inner := filepath.Join(outer, "inner")
			require.NoError(t, os.Mkdir(inner, 0o700))
			for dir, numbers := range map[string][2]string{inner: test.inner, outer: test.outer} {
				write(t, filepath.Join(dir, "pids.max"), numbers[0], 0o600)
				write(t, filepath.Join(dir, "pids.current"), numbers[1], 0o600)
			}
			require.Equal(t, test.want, cgroupHeadroom([]string{inner, outer, "/nonexistent"}))
		})
	}
}

// printHeadroom waits until it is told to go on, limits its address space, where it
// is given a number of bytes, and prints the room.
func printHeadroom(args []string) {
	must(os.Stdin.Read(make([]byte, 1)))
	if len(args) > 0 {
		var pages uint64
		must(fmt.Sscan(string(must(os.ReadFile("/proc/self/statm"))), &pages))
		most := pages*uint64(os.Getpagesize()) + uint64(number(args[0]))
		must(0, unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most}))
	}
	fmt.Println(headroom(), CheckHeadroom())
}

// headroomOf is the room of a process that was put where it is to be, and what
// CheckHeadroom says there.
func headroomOf(t *testing.T, put func(pid int), args ...string) (headroom int, check string) {
	in := self("headroom")
	cmd := exec.Command(in.Argv[0], args...)
	cmd.Env = append(os.Environ(), modeVar+"=headroom")
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	require.NoError(t, cmd.Start())
	put(cmd.Process.Pid)
	_, err = stdin.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	text, check, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
	return number(text), check
}

// TestRoomInAGroup: a limit of the system's own that a group above has.
func TestRoomInAGroup(t *testing.T) {
	groups := taskGroups("/proc/self/cgroup", "/proc/self/mountinfo")
	if len(groups) == 0 {
		t.Skip("no control groups count tasks here")
	}
	outer := filepath.Join(groups[0], fmt.Sprint("jobline-test-", os.Getpid()))
	inner := filepath.Join(outer, "inner")
	if err := os.Mkdir(outer, 0o755); err != nil {
		t.Skip("no control group can be made here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, os.Remove(outer)) })
	require.NoError(t, os.Mkdir(inner, 0o755))
	t.Cleanup(func() { require.NoError(t, os.Remove(inner)) })
	for _, most := range []int{50, 10} {
		if err := os.WriteFile(outer+"/pids.max", []byte(strconv.Itoa(most)), 0); err != nil {
			t.Skip("this group does not limit tasks: ", err)
		}
		got, check := headroomOf(t, func(pid int) {
			require.NoError(t, os.WriteFile(inner+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0))
		})
		require.Less(t, got, most)
		require.Greater(t, got, most-30, "as many threads as a Go program has at first")
		if most == 50 {
			require.Equal(t, "<nil>", check)
		} else {
			require.Contains(t, check, fmt.Sprintf("there is room for %d more threads and processes, and 8 are needed", got))
		}
	}
}

// TestRoomForAddresses: a limit on the address space is one on threads.
func TestRoomForAddresses(t *testing.T) {
	nowhere := func(int) {}
	got, _ := headroomOf(t, nowhere)
	require.Greater(t, got, maxThreads)
	const threads = 200
	got, _ = headroomOf(t, nowhere, strconv.FormatInt(threads*threadBytes(), 10))
	require.InDelta(t, threads, got, 20, "the process takes some more meanwhile")
}
