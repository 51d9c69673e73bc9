package exec

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestLooksAreShared: who asks before a look begins shares it, and nobody gets
// one that began before they asked.
func TestLooksAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, begun, looks := &scanner{}, make(chan struct{}), 0
		s.look = func() ([]process, error) {
			looks++
			number := looks
			<-begun
			return []process{{pid: number}}, nil
		}
		var all sync.WaitGroup
		ask := func(want int) {
			all.Go(func() {
				found, err := s.processes(nil, 0)
				require.NoError(t, err)
				require.Equal(t, []process{{pid: want}}, found)
			})
		}
		ask(1)
		synctest.Wait() // the first look is under way
		for range 100 {
			ask(2)
		}
		synctest.Wait()
		stop := make(chan struct{})
		close(stop)
		_, err := s.processes(stop, 0)
		require.ErrorIs(t, err, errScanAbandoned, "a look under way holds nobody up")
		close(begun)
		all.Wait()
		s.work.Wait()
		require.Equal(t, 2, looks)
		ask(3)
		all.Wait()
		s.close()
	})
}

// TestTreesLookTogether: 50 commands that are stopped at once cost a few looks
// at all processes, whether they end when they are asked or are killed.
func TestTreesLookTogether(t *testing.T) {
	const trees = 50
	for name, test := range map[string]struct {
		script string
		kill   bool
	}{
		"asked":  {"echo ready; exec sleep 1000", false},
		"killed": {`trap "" TERM; sleep 1000 & echo ready; sleep 1000`, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommand(t, Options{})
			var looks atomic.Int32
			c.launcher.scan.look = func() ([]process, error) {
				looks.Add(1)
				return c.launcher.scan.scanAll()
			}
			all := make([]*attempt, trees)
			for i := range all {
				all[i] = begin(t, c, Input{Argv: []string{"sh", "-c", test.script}})
			}
			for _, a := range all {
				a.stdout.await(t, "ready")
			}
			require.Zero(t, looks.Load())
			for _, a := range all {
				a.cancel(errStop)
				if test.kill {
					a.kill()
				}
			}
			for _, a := range all {
				a.wait(t)
				require.False(t, a.failure(t).Leaked)
				require.Equal(t, test.kill, a.failure(t).Forced)
			}
			require.Less(t, looks.Load(), int32(trees/2))
		})
	}
}

// TestBlind: that the processes cannot be seen ends no grace, and is reported.
func TestBlind(t *testing.T) {
	c := newScanning(t, Options{})
	c.launcher.timeouts = timeouts{killWait: 1, lookWait: 1} // nothing is to be seen, however long
	looks := make(chan struct{})
	c.launcher.scan.look = func() ([]process, error) {
		select {
		case looks <- struct{}{}:
		default:
		}
		return nil, unix.EMFILE
	}
	a := begin(t, c, self("polite"))
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	require.NoError(t, unix.Waitid(unix.P_PID, a.pid(t), &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil))
	for range 3 { // it goes on looking
		select {
		case <-looks:
		case <-time.After(patience):
			require.FailNow(t, "it does not look")
		}
	}
	a.kill()
	a.wait(t)
	f := a.failure(t)
	require.True(t, f.Forced)
	require.True(t, f.Leaked)
}

// TestStrayIsAskedLate: what could not be seen at first is asked to end when
// it is seen.
func TestStrayIsAskedLate(t *testing.T) {
	c := newScanning(t, Options{})
	var looks atomic.Int32
	c.launcher.scan.look = func() ([]process, error) {
		if looks.Add(1) <= 2 {
			return nil, unix.EMFILE
		}
		return c.launcher.scan.scanAll()
	}
	in := self("polite")
	in.Argv = []string{"sh", "-c", `setsid "$0" & wait`, in.Argv[0]}
	a := begin(t, c, in)
	a.stdout.await(t, "ready")
	a.cancel(errStop)
	a.wait(t)
	require.False(t, a.failure(t).Forced)
	require.Contains(t, a.stdout.String(), "cleaned")
}

// TestSpare: a look needs no descriptor but the one in reserve, and says so
// where it has none at all.
func TestSpare(t *testing.T) {
	a := run(t, newCommand(t, Options{}), self("spare"))
	require.NoError(t, a.err, "%s", a.stderr.String())
	require.Equal(t, "true false\nfalse true\n0\n", a.stdout.String())
}

// TestStrayOfAnotherUser: root sees what has left the group and become
// somebody else.
func TestStrayOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("a tool is missing: ", err)
	}
	c, f := newCommand(t, Options{}), newFIFO(t)
	const script = `exec 3>"$0"; setsid setpriv --reuid=65534 --clear-groups sh -c 'trap "" TERM; echo $$ >&3; sleep 1000' & wait`
	a := begin(t, c, Input{Argv: []string{"sh", "-c", script, f.path}})
	f.holders(t, 1)
	a.cancel(errStop)
	a.kill()
	a.wait(t)
	f.requireFree(t)
	require.False(t, a.failure(t).Leaked)
}

// TestLookOnceMore: who was executing a program when its environment was read has
// its keys, unless it is another by now. A process of the system has none.
func TestLookOnceMore(t *testing.T) {
	c := newScanning(t, Options{})
	a := begin(t, c, self("polite"))
	a.stdout.await(t, "ready")
	now, err := c.launcher.scan.process(a.pid(t), true)
	require.NoError(t, err)
	require.Len(t, now.keys, 1)
	require.False(t, now.envEmpty)
	seen := process{pid: now.pid, group: now.group, start: now.start, envEmpty: true}
	another, system := seen, seen
	another.start += "0"
	system.group = 0
	found := []process{seen, another, system}
	require.False(t, c.launcher.scan.rereadEmptyEnvirons(found))
	another.envEmpty = false
	require.Equal(t, []process{*now, another, system}, found)
	require.True(t, c.launcher.scan.rereadEmptyEnvirons(found))
}

// TestLookFindsAChain: a look finds somebody of those who fork and exit all the
// time. It may miss them now and then: where all they do is in the moment of
// executing a program.
func TestLookFindsAChain(t *testing.T) {
	c, f := newScanning(t, Options{}), newFIFO(t)
	a := begin(t, c, startChain(t, f.path, "setsid"))
	f.holders(t, chainLinks)
	command := a.pid(t)
	const looks = 200
	missed := 0
	for range looks {
		all, err := c.launcher.scan.scanAll()
		require.NoError(t, err)
		if !slices.ContainsFunc(all, func(p process) bool { return len(p.keys) > 0 && p.session != command }) {
			missed++
		}
	}
	stop(t, a)
	f.requireFree(t)
	require.Less(t, missed, looks/10)
}

func TestParseStat(t *testing.T) {
	stat := func(state, threads string) string {
		return "7 (a) b (c) " + state + " 1 5 6 0 -1 4 0 0 0 0 0 0 0 0 20 0 " + threads + " 0 99 0 0"
	}
	alive := &process{pid: 7, parent: 1, group: 5, session: 6, start: "99"}
	for text, want := range map[string]*process{
		stat("S", "1"): alive, stat("Z", "2"): alive, stat("Z", "1"): nil, stat("Z", "0"): nil, stat("X", "1"): nil,
		"": nil, "7 (x) S 1": nil, strings.Replace(stat("S", "1"), " 1 5 ", " 1 x ", 1): nil,
		strings.Replace(stat("S", "1"), " 1 5 ", " x 5 ", 1): nil,
	} {
		require.Equal(t, want, parseStat(7, []byte(text)), text)
	}
}

func TestKeysOf(t *testing.T) {
	const mark = serverVar + "="
	for text, want := range map[string][]string{
		mark + "s.t": {"s.t"},
		"A=B\x00" + mark + "a.b/s.t/c.d\x00" + taskVar + "=d\x00": {"s.t"},
		mark + "s.t/s.u":   {"s.t", "s.u"},
		mark + "sx.t":      nil,
		mark + "xs.t":      nil,
		"X" + mark + "s.t": nil,
		mark + "s":         nil,
		taskVar + "=s.t":   nil,
		"":                 nil,
	} {
		require.Equal(t, want, commandKeys([]byte(text), "s"), "%q", text)
	}
}
