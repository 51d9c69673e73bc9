package nats

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// machine is the copy of this process: what it knows of the log, that is, the tasks and the processes that
// write. One goroutine, the one that applies the log, changes it.
type machine struct {
	tasks *memory.Replica
	turns turns
	// mu protects what other goroutines read: peers, runs and limited, and of a peer about, joined, latest,
	// heard, applied and differs.
	mu     sync.RWMutex
	peers  map[uuid.UUID]*peer
	former formerPeers
	entry  uint64              // the sequence of the entry that is being applied, or was last
	runs   map[uuid.UUID]*peer // by task: the process that runs it
	// limited is set once a process has written the limits.
	limited bool
	rules   int           // rulesVersion of the processes; 0 before the first hello that has one
	claims  uint64        // how many leases were given
	beats   atomic.Uint64 // how many Beats were applied
}

// peer is a process that writes to the log, as the copy knows it.
type peer struct {
	id           uuid.UUID
	about        hello
	on           *schema.RunsOn // what its tasks show as runsOn
	since        schema.Time    // when its hello came
	latest       schema.Time    // when its latest message came
	joined       map[int]*join
	last         uint64    // the number of its latest message
	heard        time.Time // when this process applied its latest message
	applied      uint64    // the latest entry that it is known to have applied
	differs      bool      // its copy differs from that of this process
	partial      [][]byte  // the pieces of its unfinished message
	partialBytes int
	claimers     map[int]executor.Claimer
	leases       map[attempt]*held // until they are released
}

// held is a lease that a process holds.
type held struct {
	executor.Lease
	number uint64 // rises with each claim
}

// answer is the result of a change.
type answer struct {
	err       error
	submitted []executor.Submitted
	cancelled []executor.CancelAnswer
	task      schema.Task
	claimer   executor.Claimer // of the copy
	lease     executor.Lease   // of the copy; nil if there was no task to claim
}

func newMachine(due func()) *machine { return machineOf(memory.NewReplica(due)) }

func machineOf(tasks *memory.Replica) *machine {
	m := &machine{
		tasks: tasks, peers: map[uuid.UUID]*peer{}, runs: map[uuid.UUID]*peer{},
	}
	m.turns = turns{offers: m.tasks.Offers, minTimeout: turnTimeout, claimTimeout: turnTimeout}
	return m
}

func (m *machine) isLimited() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.limited
}

// meet adds a process. It answers nil if the process is, or was, a peer.
func (m *machine) meet(id uuid.UUID, about hello, now schema.Time) *peer {
	if m.peers[id] != nil || m.former.has(id) {
		return nil
	}
	p := &peer{id: id, about: about, on: &schema.RunsOn{Executor: about.Name, Host: about.Host}, since: now, latest: now, joined: map[int]*join{}, claimers: map[int]executor.Claimer{}, leases: map[attempt]*held{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.peers[id] = p
	return p
}

// apply applies a change that a process has written. own says that this process wrote it.
func (m *machine) apply(p *peer, c *change, own bool) (a answer) {
	ctx := context.Background()
	if p.about.Role == RoleDriver {
		if a.err = m.checkDriverChange(c); a.err != nil {
			return a
		}
	}
	switch {
	case c.Submit != nil:
		way := m.tasks.Submit
		if c.All {
			way = m.tasks.SubmitAll
		}
		a.submitted, a.err = m.submit(p, submitted(c.Submit, own), c.All, way)
	case c.Claim != 0:
		a = m.claim(p, c.Claim, c.Again)
	case c.Rest != 0:
		m.turns.noteRest(p.id, c.Rest)
	case c.Started != nil, c.Progress != nil, c.Output != nil, c.Finish != nil, c.Retry != nil, c.Release != nil, c.Return != nil:
		a.err = m.applyToLease(p, c)
	case c.Cancel != nil:
		a.cancelled, a.err = m.tasks.Cancel(ctx, c.Cancel.IDs, c.Cancel.cancellation())
	case c.Update != nil:
		a.task, a.err = m.tasks.Update(ctx, c.Update.ID, c.Update.update())
	case c.DryRun != nil:
		a.submitted, a.err = m.submit(p, submitted(c.DryRun, own), false, m.tasks.DryRun)
	case c.Group != nil:
		a.err = m.tasks.SetGroup(ctx, c.Group.Name, c.Group.settings())
	case c.Pause != nil:
		a.err = m.tasks.Pause(ctx, *c.Pause)
	case c.Schedules != nil:
		a.err = m.tasks.SetSchedules(ctx, textsOf(c.Schedules)...)
	case c.Beat:
		m.beats.Add(1)
		m.tasks.Tell()
	case c.Limits != nil:
		m.mu.Lock()
		m.limited = true
		m.mu.Unlock()
		m.tasks.Configure(c.Limits.options())
	default:
		a = m.applyToPeers(ctx, p, c)
	}
	return a
}

// submitted makes the submissions that a process applies.
func submitted(all []submission, own bool) []executor.Submission {
	made := make([]executor.Submission, len(all))
	for i := range all {
		made[i] = all[i].submission(own)
	}
	return made
}

// applyToPeers applies a change of processes and their claimers.
func (m *machine) applyToPeers(ctx context.Context, p *peer, c *change) (a answer) {
	switch {
	case c.Join != nil:
		a.claimer, a.err = m.tasks.JoinAs(ctx, c.Join.offer(), p.on)
		if a.err == nil {
			p.claimers[c.Join.Number] = a.claimer
			m.mu.Lock()
			p.joined[c.Join.Number] = c.Join
			m.mu.Unlock()
		}
	case c.Quit != 0:
		if quits := p.claimers[c.Quit]; quits != nil {
			quits.Leave()
			delete(p.claimers, c.Quit)
			m.turns.removeClaimer(p.id, c.Quit)
			m.mu.Lock()
			delete(p.joined, c.Quit)
			m.mu.Unlock()
		}
	case c.Drop:
		m.drop(p, c.Leases)
	case c.Leave:
		m.remove(p)
	case c.Drain != nil:
		a.err = m.drain(c.Drain)
	case c.Fence != nil:
		if dead := m.peers[c.Fence.Peer]; dead != nil && dead.last == c.Fence.Last {
			m.remove(dead)
		}
	}
	return a
}

// claim gives a process the task that is to run next, if there is one for it. again says that the claim has
// waited.
func (m *machine) claim(p *peer, number int, again bool) (a answer) {
	c := p.claimers[number]
	if c == nil {
		return answer{err: executor.ErrLeaseLost}
	}
	a.claimer = c
	if p.about.Draining {
		return a
	}
	if a.lease = m.tasks.Take(c); a.lease != nil {
		m.claims++
		r := a.lease.Record()
		p.leases[attempt{r.ID, r.Attempt}] = &held{a.lease, m.claims}
		m.setRunner(r.ID, p)
	}
	m.turns.claimed(p.id, number, c, again, a.lease != nil)
	return a
}

// applyToLease applies a change of a task whose lease the process holds. Without the lease it changes nothing.
func (m *machine) applyToLease(p *peer, c *change) (err error) {
	of := *c.attempt()
	h := p.leases[of]
	if h == nil {
		return executor.ErrLeaseLost
	}
	recorded := func(e error) { err = e }
	switch {
	case c.Started != nil:
		err = h.Started(c.Started.PID)
	case c.Progress != nil:
		err = h.Progress(c.Progress.Progress)
	case c.Output != nil:
		err = h.Write(c.Output.Stream, c.Output.data)
	case c.Finish != nil:
		f := c.Finish
		h.Finish(executor.Outcome{State: f.State, Result: f.result, Error: f.Error}, recorded)
	case c.Retry != nil:
		h.Retry(c.Retry.again(), recorded)
	case c.Release != nil:
		h.Release()
		delete(p.leases, of)
	case c.Return != nil:
		m.tasks.Return(h.Lease)
		delete(p.leases, of)
	}
	if c.Finish != nil || c.Retry != nil || c.Return != nil {
		m.setRunner(of.ID, nil)
	}
	return err
}

// attempt is the attempt that the change is of. The change must have one.
func (c *change) attempt() *attempt {
	switch {
	case c.Started != nil:
		return &c.Started.attempt
	case c.Progress != nil:
		return &c.Progress.attempt
	case c.Output != nil:
		return &c.Output.attempt
	case c.Finish != nil:
		return &c.Finish.attempt
	case c.Retry != nil:
		return &c.Retry.attempt
	case c.Release != nil:
		return c.Release
	}
	return c.Return
}

// remove takes out a process that is dead or ends, and settles its tasks. What it writes from now on changes
// nothing.
func (m *machine) remove(p *peer) {
	m.mu.Lock()
	delete(m.peers, p.id)
	m.mu.Unlock()
	m.former.add(p.id, m.entry)
	m.turns.remove(p.id)
	m.interrupt(p, p.leases)
	for _, number := range slices.Sorted(maps.Keys(p.claimers)) {
		p.claimers[number].Leave()
	}
}

// drop settles the tasks whose leases a process has given up.
func (m *machine) drop(p *peer, given []attempt) {
	leases := map[attempt]*held{}
	for _, of := range given {
		if h := p.leases[of]; h != nil {
			leases[of] = h
		}
	}
	m.interrupt(p, leases)
}

// interrupt settles tasks of a process, in the order in which it got them.
func (m *machine) interrupt(p *peer, leases map[attempt]*held) {
	for _, h := range slices.SortedFunc(maps.Values(leases), func(a, b *held) int { return cmp.Compare(a.number, b.number) }) {
		r := h.Record()
		delete(p.leases, attempt{r.ID, r.Attempt})
		if m.runs[r.ID] == p {
			m.setRunner(r.ID, nil)
		}
		m.tasks.Interrupt(h.Lease)
	}
}
