package exec

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// forget leaves a process that nothing tells of, which holds the FIFO.
func forget(args []string) {
	holdFor(args[0], func(cmd *exec.Cmd) { newSession(cmd); clearEnv(cmd); noStdout(cmd) })
	block()
}

// retitle is a daemon that, as many do to show a title, has written over its
// environment, and holds the FIFO. Its parent has ended.
func retitle(args []string) {
	if len(args) == 1 {
		spawnSelf("retitle", func(cmd *exec.Cmd) { newSession(cmd); noStdout(cmd) }, args[0], "daemon")
		block()
	}
	stat := string(must(os.ReadFile("/proc/self/stat")))
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const envStart, envEnd = 47, 48
	from, to := number(fields[envStart]), number(fields[envEnd])
	memory := must(os.OpenFile("/proc/self/mem", os.O_RDWR, 0))
	must(memory.WriteAt(make([]byte, to-from), int64(from)))
	hold(args[:1])
}

// chain is a script that hands on to another process, in a session of its own,
// every few milliseconds, and is deaf to SIGTERM. Its first chainLinks processes
// say so to what is file 3, which all of them hold. $1 is how many there were.
const (
	chain      = `trap "" TERM; [ $1 -ge 6 ] || echo $$ >&3; sleep 0.005; setsid sh "$0" $(($1+1)) &`
	chainLinks = 6
)

// startChain is a command with a chain, whose processes begin as a shell says.
func startChain(t *testing.T, fifo, begin string) Input {
	script := write(t, filepath.Join(t.TempDir(), "chain"), chain, 0o644)
	return Input{Argv: []string{"sh", "-c", `exec 3>"$0"; ` + begin + ` sh "$1" 0 & sleep 1000`, fifo, script}}
}

// newWithCgroups is newCommand where there are cgroups.
func newWithCgroups(t *testing.T, o Options) *Runner {
	c := newCommand(t, o)
	needCgroups(t, c)
	return c
}

func needCgroups(t *testing.T, c *Runner) {
	if c.launcher.cgroups.open() == "" {
		t.Skip("there are no control groups to be had: ", c.launcher.cgroups.why)
	}
}

// TestFromProcessToProcess: who forks and exits all the time does not get away.
func TestFromProcessToProcess(t *testing.T) { eachWay(t, fromProcessToProcess) }

func fromProcessToProcess(t *testing.T, c *Runner) {
	for range 8 {
		f := newFIFO(t)
		requireKilled(t, c, f, startChain(t, f.path, "setsid"), chainLinks)
	}
}

// TestNobodyEscapes: with a cgroup, a stop ends also what nothing else tells of.
func TestNobodyEscapes(t *testing.T) {
	c := newWithCgroups(t, Options{})
	t.Run("a cleared environment", func(t *testing.T) {
		f := newFIFO(t)
		requireKilled(t, c, f, self("forget", f.path), 1)
	})
	t.Run("a title over the environment", func(t *testing.T) {
		f := newFIFO(t)
		in := self("retitle", f.path)
		in.Argv = []string{"sh", "-c", `"$0" "$1" & sleep 1000`, in.Argv[0], f.path}
		a := begin(t, c, in)
		pid := f.holders(t, 1)[0]
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		require.NoError(t, err)
		require.Empty(t, bytes.Trim(env, "\x00"))
		require.NoError(t, unix.Kill(parentOf(t, pid), unix.SIGKILL))
		stop(t, a)
		f.requireFree(t)
		require.False(t, a.failure(t).Leaked)
	})
	t.Run("from process to process", func(t *testing.T) {
		f := newFIFO(t)
		requireKilled(t, c, f, startChain(t, f.path, `env -i PATH="$PATH" setsid`), chainLinks)
	})
	t.Run("a server within", func(t *testing.T) {
		f := newFIFO(t)
		in := self("server", f.path, "forget")
		a := begin(t, c, in)
		f.holders(t, 1)
		stop(t, a)
		f.requireFree(t)
	})
}

// TestServerWithin: what a task of a server that is a command itself has left is
// known by the keys of both.
func TestServerWithin(t *testing.T) { eachWay(t, serverWithin) }

func serverWithin(t *testing.T, c *Runner) {
	f := newFIFO(t)
	a := begin(t, c, self("server", f.path, "daemon", "stay"))
	pid := f.holders(t, 1)[0]
	awaitStat(t, pid, "an orphan", func(_ string, parent int) bool {
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", parent))
		return program != must(os.Executable())
	})
	stop(t, a)
	f.requireFree(t)
}

// requireKilled runs a command until processes of it hold a FIFO, stops it
// without a grace, and says that none of them is left.
func requireKilled(t *testing.T, c *Runner, f *fifo, in Input, holders int) {
	a := begin(t, c, in)
	f.holders(t, holders)
	stop(t, a)
	f.requireFree(t)
	require.False(t, a.failure(t).Leaked)
}

// stop stops a command without a grace, and waits for its end.
func stop(t *testing.T, a *attempt) {
	a.cancel(errStop)
	a.kill()
	a.wait(t)
}

// TestCgroupsAreUsedAgain: but not those that were killed, or that a process has
// stayed in.
func TestCgroupsAreUsedAgain(t *testing.T) {
	c := newWithCgroups(t, Options{})
	cgroups := &c.launcher.cgroups
	runTrue := func() { require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err) }
	for range 3 {
		runTrue()
		require.Equal(t, 1, cgroups.made)
	}
	f := newFIFO(t)
	in := self("double-fork", f.path)
	in.Argv = []string{"sh", "-c", `exec "$0" "$1" >/dev/null`, in.Argv[0], f.path}
	a := begin(t, c, in)
	daemon := f.holders(t, 1)[0]
	a.wait(t)
	require.NoError(t, a.err)
	require.Equal(t, 1, cgroups.made)
	runTrue()
	runTrue()
	require.Equal(t, 2, cgroups.made)
	require.NoError(t, unix.Kill(daemon, unix.SIGKILL))
	f.requireLetGo(t)
	require.Len(t, cgroups.idle, 2)

	f = newFIFO(t)
	requireKilled(t, c, f, self("forget", f.path), 1)
	require.Len(t, cgroups.idle, 1)
	path := cgroups.serverCgroup.path
	require.NoError(t, c.Close())
	require.NoDirExists(t, path)
}

// TestCgroupsAreBounded: those too many are removed.
func TestCgroupsAreBounded(t *testing.T) {
	c := newWithCgroups(t, Options{})
	cgroups := &c.launcher.cgroups
	cgroups.most = 1
	var all []*attempt
	for range 3 {
		a := begin(t, c, self("polite"))
		a.stdout.await(t, "ready")
		all = append(all, a)
	}
	for _, a := range all {
		a.cancel(errStop)
		a.wait(t)
	}
	require.Len(t, cgroups.idle, 1)
	require.Len(t, cgroupsBelow(cgroups.serverCgroup.path), 2) // the serverCgroup, and the cgroup
}

// TestRefusedCgroup: a command that the system does not let into its cgroup runs
// without one, and that is said once. A cgroup that somebody has removed is none.
func TestRefusedCgroup(t *testing.T) {
	var log bytes.Buffer
	c := newWithCgroups(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	cgroups := &c.launcher.cgroups
	runTrue := func(idle int) {
		require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
		require.Len(t, cgroups.idle, idle)
	}
	runTrue(1)
	threaded := filepath.Join(cgroups.serverCgroup.path, "threaded") // no process may be beside it
	require.NoError(t, os.Mkdir(threaded, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(threaded, "cgroup.type"), []byte("threaded"), 0))
	runTrue(0)
	runTrue(0)
	require.NoError(t, unix.Rmdir(threaded))
	require.Equal(t, 1, strings.Count(log.String(), "has no control group"))
	runTrue(1)
	require.NoError(t, unix.Rmdir(cgroups.idle[0].path))
	runTrue(1)
	a := run(t, c, Input{Argv: []string{"/nonexistent"}})
	require.Equal(t, "ENOENT", a.failure(t).Errno)
	require.Len(t, cgroups.idle, 1, "that was not for the cgroup")
	for range maxCgroupRefusals {
		cgroups.countStart(true)
	}
	one, err := cgroups.make()
	require.NoError(t, err)
	require.Nil(t, one)
}

// TestServerIsKilledWithCgroups: what nothing tells of ends, too, and the groups
// are removed.
func TestServerIsKilledWithCgroups(t *testing.T) {
	newWithCgroups(t, Options{})
	f := newFIFO(t)
	s := startServer(t, f, "forget")
	serverCgroup := serverCgroupOf(t, f.holders(t, 1)[0])
	require.NoError(t, s.Process.Kill())
	f.requireLetGo(t)
	awaitGone(t, serverCgroup)
}

// TestLeftYardIsSwept: where the guard was killed, too, the next server does
// its work, and leaves the groups of those that live alone.
func TestLeftYardIsSwept(t *testing.T) {
	live := newWithCgroups(t, Options{})
	f := newFIFO(t)
	s := startServer(t, f, "forget")
	holder := f.holders(t, 1)[0]
	serverCgroup, guard := serverCgroupOf(t, holder), s.guard(t)
	require.NoError(t, unix.PidfdSendSignal(guard, unix.SIGSTOP, nil, 0))
	require.NoError(t, s.Process.Kill())
	require.Error(t, s.Wait())
	require.NoError(t, unix.PidfdSendSignal(guard, unix.SIGKILL, nil, 0))
	requireEnds(t, guard)
	require.NoError(t, unix.Kill(holder, 0), "nobody has ended it")
	newWithCgroups(t, Options{})
	f.requireLetGo(t)
	awaitGone(t, serverCgroup)
	require.DirExists(t, live.launcher.cgroups.serverCgroup.path)
}

// serverCgroupOf is the group of the server of a process in a cgroup.
func serverCgroupOf(t *testing.T, pid int) string {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	require.NoError(t, err)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	dir, err := cgroupDir(string(list), string(mounts))
	require.NoError(t, err)
	require.Regexp(t, serverCgroupName, filepath.Base(filepath.Dir(dir)))
	return filepath.Dir(dir)
}

func awaitGone(t *testing.T, dir string) {
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(groupPoll) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
	}
	require.NoDirExists(t, dir)
}

// TestInAGroupThatWasKilled: commands run also where the server is in a group
// that was killed before, which makes some kernels kill what it starts in another.
func TestInAGroupThatWasKilled(t *testing.T) {
	c := newWithCgroups(t, Options{})
	group := filepath.Join(filepath.Dir(c.launcher.cgroups.serverCgroup.path), fmt.Sprint("killed-", os.Getpid()))
	require.NoError(t, os.Mkdir(group, 0o755))
	defer func() { require.NoError(t, removeCgroup(group, patience)) }()
	require.NoError(t, killCgroup(group))
	cmd := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$1"`, group, must(os.Executable()))
	cmd.Env = append(os.Environ(), modeVar+"=contained")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, "^<nil> (cgroup|scan)\n$", string(out))
}

// TestDelegated: who is not root has cgroups where the group is his, and only there.
func TestDelegated(t *testing.T) {
	c := newWithCgroups(t, Options{})
	if os.Geteuid() != 0 {
		t.Skip("only root can give a group to somebody")
	}
	for name, owner := range map[string]int{"cgroup": nobody, "scan": 0} {
		t.Run(name, func(t *testing.T) {
			group := filepath.Join(filepath.Dir(c.launcher.cgroups.serverCgroup.path), fmt.Sprint("delegated-", os.Getpid()))
			require.NoError(t, os.Mkdir(group, 0o755))
			defer func() { require.NoError(t, removeCgroup(group, patience)) }()
			for _, file := range []string{"", procsFile, "cgroup.subtree_control"} {
				require.NoError(t, os.Chown(filepath.Join(group, file), owner, owner))
			}
			dir, err := os.Open(group)
			require.NoError(t, err)
			defer dir.Close()
			cmd := exec.Command(must(os.Executable()))
			cmd.Env = append(os.Environ(), modeVar+"=delegated")
			cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, "<nil> "+name+"\n", string(out))
		})
	}
}

// printContainment runs a command, and prints how that went and by what it was held.
func printContainment([]string) {
	c := must(New(Options{}))
	_, err := c.Run(context.Background(), Input{Argv: []string{"true"}})
	fmt.Println(err, c.Containment())
	must(0, c.Close())
}

// TestYardsAtOnce: servers that start together, and sweep, leave each other's
// new groups alone.
func TestYardsAtOnce(t *testing.T) {
	needCgroups(t, newCommand(t, Options{}))
	own, err := ownCgroup()
	require.NoError(t, err)
	var starts errgroup.Group
	for range 8 {
		starts.Go(func() error {
			for range 20 {
				y, err := openServerCgroup(own)
				if err != nil {
					return err
				}
				removeAbandonedCgroups(own)
				if _, err := os.Stat(y.path); err != nil {
					return err
				}
				y.close()
			}
			return nil
		})
	}
	require.NoError(t, starts.Wait())
}

// TestYardsOfOthers: who does not look like a server's group, or is locked,
// stays.
func TestYardsOfOthers(t *testing.T) {
	own, err := ownCgroup()
	if err != nil {
		t.Skip(err)
	}
	other := filepath.Join(own, serverCgroupPrefix+"of-somebody-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Skip(err)
	}
	defer unix.Rmdir(other)
	removeAbandonedCgroups(own)
	require.DirExists(t, other)
}

func TestGroupDir(t *testing.T) {
	const (
		unified = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
		hybrid  = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		bound   = "31 23 0:28 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"
		spaced  = `31 23 0:28 / /a\040dir\134 rw - cgroup2 none rw` + "\n"
	)
	for name, test := range map[string]struct{ list, mounts, want string }{
		"unified":    {"0::/user.slice/a.scope\n", unified, "/sys/fs/cgroup/user.slice/a.scope"},
		"root":       {"0::/\n", unified, "/sys/fs/cgroup"},
		"hybrid":     {"9:name=systemd:/x\n0::/y\n", hybrid, "/sys/fs/cgroup/unified/y"},
		"bound":      {"0::/docker/abc/d\n", bound, "/sys/fs/cgroup/d"},
		"not below":  {"0::/docker/abcd\n", bound, ""},
		"two":        {"0::/docker/x\n", bound + spaced, `/a dir\/docker/x`},
		"version 1":  {"9:name=systemd:/x\n", hybrid, ""},
		"no mount":   {"0::/y\n", "", ""},
		"half a row": {"0::/y\n", "31 23 0:28 - cgroup2 cgroup2 rw\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := cgroupDir(test.list, test.mounts)
			require.Equal(t, test.want, dir)
			require.Equal(t, test.want == "", err != nil)
		})
	}
}

// TestContainmentIsTold: once, with what is weaker.
func TestContainmentIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		cgroups bool
		seen    string // what /proc shows
		want    string
		log     []string
	}{
		"cgroups":          {true, "all", schema.ContainmentCgroup, []string{"level=INFO", "control group of its own"}},
		"cgroups, no proc": {true, "none", schema.ContainmentCgroup, []string{"/proc is missing"}},
		"proc":             {false, "all", schema.ContainmentScan, []string{"level=INFO", "a test does without"}},
		"no proc":          {false, "none", schema.ContainmentGroup, []string{"level=WARN", "only a command's process group"}},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			c := newCommand(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			if test.cgroups {
				needCgroups(t, c)
			} else {
				c.launcher.cgroups.forgo()
			}
			if test.seen == "none" {
				c.launcher.scan.proc.conceal(t)
			}
			require.Equal(t, test.want, c.Containment())
			require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
			for _, text := range test.log {
				require.Equal(t, 1, strings.Count(log.String(), text), "%s in %s", text, log.String())
			}
		})
	}
}
