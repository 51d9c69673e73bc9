package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// JOBLINE_HISTORIES is how many tasks the history of many servers has, JOBLINE_HISTORY_SEED what its
// choices begin with.
const historiesEnv, historySeedEnv = "JOBLINE_HISTORIES", "JOBLINE_HISTORY_SEED"

const (
	historyMachines = 4
	historyNodes    = 3
	historyLease    = time.Second
	// historyGroupLimit is how many tasks of the group may run at once, on all machines.
	historyGroupLimit = 3
	historyPatience   = 9 * time.Minute
	// historySnapshotBytes is so little that servers make several snapshots.
	historySnapshotBytes = 8 << 10
	// tasksPerFault is how many tasks are submitted with each fault of a long history.
	tasksPerFault = 1500
)

// trial is a history of several servers in one namespace, each with a driver, while faults happen.
type trial struct {
	*testing.T
	folder  string
	nodes   []*natstest.Node
	at      nats.Address
	random  *rand.Rand // of the faults
	drivers []*driverOf
	log     *watchedLog

	watching sync.WaitGroup // that what a fault does is over

	mu      sync.Mutex
	notes   *os.File // what happened, with times
	began   time.Time
	found   []string // violations
	causes  []historyCause
	servers map[int]int // by the number of a server's process: the driver that started it
}

// TestHistoriesOfManyServers lets four servers on a cluster of three work for four drivers while
// servers are killed, some while they make a snapshot, and stopped for longer than their lease, networks
// are cut, and the servers of NATS are killed, stop, move their leader and have no room. Then it checks
// what the tasks did, what the drivers were told, and what is in the log.
func TestHistoriesOfManyServers(t *testing.T) {
	if testing.Short() || memoryFactor > 1 {
		t.Skip("it starts many processes")
	}
	tasks, rounds := 1200, 1
	if n, err := strconv.Atoi(os.Getenv(historiesEnv)); err == nil {
		tasks, rounds = n, max(1, n/tasksPerFault/len(historyFaults))
	}
	seed, err := strconv.ParseUint(os.Getenv(historySeedEnv), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	h := newTrial(t, seed, tasks)
	defer h.keep(seed, tasks)
	ctx, cancel := context.WithTimeout(t.Context(), historyPatience) // far beyond what a loaded machine needs
	defer cancel()
	var all sync.WaitGroup
	for _, d := range h.drivers {
		all.Go(func() { d.run(ctx) })
	}
	h.faults(ctx, rounds)
	for _, d := range h.drivers {
		d.release(len(d.tasks))
	}
	all.Wait()
	for _, d := range h.drivers {
		d.left()
	}
	h.watching.Wait()
	for _, wrong := range h.found {
		t.Error(wrong)
	}
	require.NoError(t, context.Cause(ctx), "not all tasks have ended")
	for _, wrong := range h.check() {
		t.Error(wrong)
	}
}

// newTrial starts a cluster, and makes the drivers.
func newTrial(t *testing.T, seed uint64, tasks int) *trial {
	folder, err := os.MkdirTemp("", "jobline-history")
	require.NoError(t, err)
	h := &trial{T: t, folder: folder, random: rand.New(rand.NewPCG(seed, 0)), began: time.Now(), servers: map[int]int{}}
	h.notes, err = os.Create(filepath.Join(folder, "notes"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.notes.Close() })
	h.nodes = natstest.Nodes(t, filepath.Join(folder, "nats"), historyNodes)
	h.at = nats.Address{Namespace: "history"}
	for _, n := range h.nodes {
		h.at.Servers = append(h.at.Servers, n.URL)
	}
	require.Eventually(t, func() bool {
		_, err = nats.Init(t.Context(), h.at, nats.Credentials{}, nats.Namespace{Replicas: historyNodes, SnapshotBytes: historySnapshotBytes})
		return err == nil
	}, soon, 50*time.Millisecond, "a namespace")
	h.log = watchLog(t, h.at, h.killProcess)
	for n := range historyMachines {
		h.drivers = append(h.drivers, newDriverOf(h, n, rand.New(rand.NewPCG(seed, uint64(n+1))), tasks/historyMachines))
	}
	return h
}

// note notes what happened.
func (h *trial) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = fmt.Fprintf(h.notes, "%8.3f %s\n", time.Since(h.began).Seconds(), fmt.Sprintf(format, args...))
}

// keep removes the files of a history that is as it should be. Of another one it says where they are.
func (h *trial) keep(seed uint64, tasks int) {
	again := fmt.Sprintf("%s=%d %s=%d go test ./cmd -run %s", historiesEnv, tasks, historySeedEnv, seed, h.Name())
	if !h.Failed() {
		h.Logf("%s: %d tasks", again, tasks)
		_ = os.RemoveAll(h.folder)
		return
	}
	h.Logf("%s\nthe history is in %s", again, h.folder)
}

func (h *trial) ledger() string { return filepath.Join(h.folder, "ledger") }

// historyFault is something that goes wrong and is mended.
type historyFault struct {
	name string
	run  func(h *trial, ctx context.Context)
}

var historyFaults = []historyFault{
	{"a server is killed", (*trial).kill},
	{"a server is stopped for longer than its lease", (*trial).freeze},
	{"the network of a server is cut", (*trial).cut},
	{"the leader of the log moves", (*trial).moveLeader},
	{"a server of NATS stops", (*trial).stopNode},
	{"a server of NATS is killed", (*trial).killNode},
	{"a server of NATS has no room", (*trial).fillNode},
}

// faults lets each fault happen as often as there are rounds, in random order, with tasks under way.
func (h *trial) faults(ctx context.Context, rounds int) {
	total := rounds * len(historyFaults)
	for round := range rounds {
		h.log.killMaker(h.random.IntN(3))
		for i, f := range h.random.Perm(len(historyFaults)) {
			done := round*len(historyFaults) + i
			for _, d := range h.drivers {
				d.release(len(d.tasks) * (done + 1) / total)
				d.drain(ctx, len(d.tasks)/total+50)
			}
			h.pause(ctx, time.Duration(h.random.IntN(100))*time.Millisecond)
			h.note("%s", historyFaults[f].name)
			historyFaults[f].run(h, ctx)
			if ctx.Err() != nil {
				return
			}
		}
	}
}

// pause waits, but not beyond the end of ctx.
func (h *trial) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (h *trial) anyDriver() *driverOf { return h.drivers[h.random.IntN(len(h.drivers))] }

func (h *trial) kill(context.Context) {
	d := h.anyDriver()
	h.note("driver %d: its server is killed", d.number)
	h.happened(historyCause{kind: "it was killed", pid: d.signalServer(os.Kill), from: schema.Now()})
}

// killProcess kills the server that is the process with a number. It reports false where there is none.
func (h *trial) killProcess(pid int) bool {
	for _, d := range h.drivers {
		if d.kills(pid) {
			h.note("driver %d: its server is killed while it makes a snapshot", d.number)
			h.happened(historyCause{kind: "it was killed", pid: pid, from: schema.Now()})
			return true
		}
	}
	return false
}

// beyondLease is longer than a lease, and not always by much.
func (h *trial) beyondLease() time.Duration {
	return historyLease*5/4 + time.Duration(h.random.Int64N(int64(historyLease)))
}

func (h *trial) freeze(ctx context.Context) {
	d := h.anyDriver()
	stops, goesOn := stopSignals()
	ends := h.begins(historyCause{kind: "it was stopped", pid: d.signalServer(stops)})
	h.note("driver %d: its server is stopped", d.number)
	h.pause(ctx, h.beyondLease())
	d.signalServer(goesOn)
	ends()
}

func (h *trial) cut(ctx context.Context) {
	d := h.anyDriver()
	ends := h.begins(historyCause{kind: "its network was cut", driver: d})
	for _, p := range d.network {
		p.Cut()
	}
	h.note("driver %d: the network of its server is cut", d.number)
	h.pause(ctx, time.Duration(h.random.Int64N(int64(h.beyondLease()))))
	for _, p := range d.network {
		p.Mend()
	}
	ends()
}

func (h *trial) moveLeader(ctx context.Context) {
	h.whole(ctx)
	ends := h.begins(historyCause{kind: "the leader moved"})
	h.log.stepDown(ctx, h.at)
	h.mends(ctx, "", ends)
}

func (h *trial) anyNode(ctx context.Context) *natstest.Node {
	h.whole(ctx)
	return h.nodes[h.random.IntN(len(h.nodes))]
}

func (h *trial) stopNode(ctx context.Context) {
	h.restart(ctx, h.anyNode(ctx), (*natstest.Node).Stop, 0)
}
func (h *trial) killNode(ctx context.Context) {
	h.restart(ctx, h.anyNode(ctx), (*natstest.Node).Kill, 0)
}

// fillNode lets a server of NATS have no room for more than a little.
func (h *trial) fillNode(ctx context.Context) {
	n := h.anyNode(ctx)
	stored, err := n.Stored()
	require.NoError(h, err)
	h.restart(ctx, n, (*natstest.Node).Stop, stored+16<<10)
	h.pause(ctx, time.Second)
	h.restart(ctx, n, (*natstest.Node).Stop, 0)
}

// restart ends a server of NATS and starts it again, with room for so many bytes.
func (h *trial) restart(ctx context.Context, n *natstest.Node, ends func(*natstest.Node) error, room int64) {
	leads := h.log.leader(ctx, h.at) == n.Name
	mended := h.begins(historyCause{kind: "a server of NATS ended"})
	h.log.stopped(leads)
	require.NoError(h, ends(n))
	h.note("the server of NATS %s has ended; it had the leader: %v", n.Name, leads)
	left := ""
	if leads {
		left = n.Name
	}
	h.mends(ctx, left, mended)
	h.pause(ctx, time.Duration(h.random.IntN(500))*time.Millisecond)
	require.NoError(h, n.Start(room))
}

// mends waits, beside all else, until the log has a leader that is not the server of NATS with a name, and then until all have
// the whole log.
func (h *trial) mends(ctx context.Context, left string, over func()) {
	h.watching.Go(func() {
		for leader := ""; ctx.Err() == nil && (leader == "" || leader == left); h.pause(ctx, 50*time.Millisecond) {
			leader = h.log.leader(ctx, h.at)
		}
		h.log.led()
		h.whole(ctx)
		over()
	})
}

// whole waits until all servers of NATS have the whole log: another fault would leave too few.
func (h *trial) whole(ctx context.Context) {
	for ctx.Err() == nil && !h.log.whole(ctx, h.at) {
		h.pause(ctx, 50*time.Millisecond)
	}
}
