package nats

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// This file decides which process sends a claim first when a task becomes ready, so that not all of them do.
// All processes compute it alike from the log: the turn is that of the process in which the most claims wait.
// It is only a hint. If a process is dead, stopped or slow, the others take its turn a moment later.

const (
	// turnTimeout is how long, at least, a process may take to use its turn before others do.
	turnTimeout = 100 * time.Millisecond
	// tripsPerTurn is how many trips of a message through the log a process may take to use its turn.
	tripsPerTurn = 3
)

// turns are the processes in which claims wait for a task. It is safe for concurrent use.
type turns struct {
	offers     func(executor.Claimer) bool // reports whether there may be a task for a claimer
	minTimeout time.Duration               // turnPatience, but in tests

	mu           sync.Mutex
	claimTimeout time.Duration // how long a process may take to use its turn, by the latest trip
	all          []*turn       // in the order in which they were first seen to wait
	ready        int           // estimate of the tasks that may be claimed
	woken        uint64        // Replica.Woken when ready was counted
}

// turn is one process.
type turn struct {
	peer       uuid.UUID
	waiting    map[int]*waiters // by the number of the claimer
	since      time.Time        // since when it is its turn, or zero
	late       bool             // it has not used its turn
	unassigned int              // only in assign: waiting claims without a task
	assigned   int              // only in assign: tasks for this process
}

// waiters are the waiting claims of one claimer.
type waiters struct {
	claimer executor.Claimer
	number  int
}

// claimed notes a claim that was applied, and whether it got a task. again says that the claim had waited.
func (t *turns) claimed(peer uuid.UUID, number int, claimer executor.Claimer, again, got bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of(peer)
	of.since, of.late = time.Time{}, false
	w := of.waiting[number]
	if w == nil {
		w = &waiters{claimer: claimer}
		of.waiting[number] = w
	}
	if again && w.number > 0 {
		w.number--
	}
	if !got {
		w.number++
		return
	}
	t.ready = max(t.ready-1, 0)
}

// of finds or makes the turn of a process. The caller holds mu.
func (t *turns) of(peer uuid.UUID) *turn {
	for _, of := range t.all {
		if of.peer == peer {
			return of
		}
	}
	of := &turn{peer: peer, waiting: map[int]*waiters{}}
	t.all = append(t.all, of)
	return of
}

// noteRest notes that a claim waits no longer.
func (t *turns) noteRest(peer uuid.UUID, number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w := t.of(peer).waiting[number]; w != nil && w.number > 0 {
		w.number--
	}
}

// removeClaimer notes that a claimer has left.
func (t *turns) removeClaimer(peer uuid.UUID, number int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.of(peer).waiting, number)
}

// noteTrip notes how long a message of this process took through the log.
func (t *turns) noteTrip(trip time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claimTimeout = max(min(tripsPerTurn*trip, resendAfter), t.minTimeout)
}

// timeout is how long a process may take to use its turn.
func (t *turns) timeout() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.claimTimeout
}

// remove notes that a process is no longer a peer, or is drained.
func (t *turns) remove(peer uuid.UUID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, of := range t.all {
		if of.peer == peer {
			t.all = append(t.all[:i:i], t.all[i+1:]...)
			return
		}
	}
}

// noteReady notes how many tasks have become ready so far, and how many are queued.
func (t *turns) noteReady(woken uint64, queued int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = int(min(uint64(t.ready)+woken-t.woken, uint64(queued)))
	t.woken = woken
}

// claimsDue is how many claims a process is to send now. Processes that have not used their turn in time are
// passed over.
func (t *turns) claimsDue(self uuid.UUID) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, of := range t.all {
		if !of.since.IsZero() && now.Sub(of.since) >= t.claimTimeout && of.peer != self {
			of.late = true
		}
	}
	t.assign(max(t.ready, 1), t.offers)
	mine, relied := 0, false
	for _, of := range t.all {
		switch {
		case of.peer == self:
			mine = of.assigned
		case of.assigned == 0:
			of.since = time.Time{}
		default:
			relied = true
			if of.since.IsZero() {
				of.since = now
			}
		}
	}
	if !relied {
		return max(mine, 1)
	}
	return mine
}

// share is how many of the tasks that a process submits it may claim in the same message.
func (t *turns) share(self uuid.UUID, tasks int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	of := t.of(self)
	t.assign(tasks, func(executor.Claimer) bool { return true })
	return of.assigned
}

// assign gives each task to the process in which the most claims wait. The caller holds mu.
func (t *turns) assign(tasks int, takes func(executor.Claimer) bool) {
	for _, of := range t.all {
		of.assigned, of.unassigned = 0, 0
		for _, w := range of.waiting {
			if w.number > 0 && !of.late && takes(w.claimer) {
				of.unassigned += w.number
			}
		}
	}
	for ; tasks > 0; tasks-- {
		var most *turn
		for _, of := range t.all {
			if of.unassigned > 0 && (most == nil || of.unassigned > most.unassigned) {
				most = of
			}
		}
		if most == nil {
			return
		}
		most.unassigned--
		most.assigned++
	}
}
