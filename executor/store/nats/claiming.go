package nats

import (
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
)

// This file has the claims of this process: on their way through the log, and while they wait for
// something to claim.

// claimRequest is one claim.
type claimRequest struct {
	claimer  *claimer
	answered chan struct{} // closed when err or lease is set

	// The store's lock protects what follows.
	err       error
	lease     *lease
	abandoned bool
	// While it waits:
	inner  executor.Claimer // of the copy
	woken  <-chan struct{}  // gets a value when there may be something
	giveUp func()           // ends waiting for that
	awake  bool             // the value has come, and no claim followed
}

// pending is the claim as a change. again says that it has waited.
func (g *claimRequest) pending(again bool) *pending {
	return &pending{change: change{Claim: g.claimer.about.Number, Again: again}, done: func(a answer) { g.done(a, again) }}
}

// done takes the answer of the log. The goroutine that applies it calls this.
func (g *claimRequest) done(a answer, again bool) {
	s := g.claimer.store
	var l *lease
	if a.err == nil && a.lease != nil {
		l = s.newLease(a.lease)
	}
	s.mu.Lock()
	if again {
		s.asking--
	}
	unwanted, late := g.abandoned, l != nil && s.isLate()
	switch {
	case late: // others may have the task by now
	case a.err != nil, l != nil:
		g.err, g.lease = a.err, l
		close(g.answered)
	case unwanted:
		s.sendRest(g)
	default:
		g.inner, g.awake = a.claimer, false
		g.woken, g.giveUp = s.machine.tasks.Await(g.inner)
		s.waiting = append(s.waiting, g)
	}
	s.mu.Unlock()
	switch {
	case late && !unwanted:
		l.giveBack()
		s.requeueClaim(g)
	case unwanted && l != nil:
		l.giveBack()
	}
}

// requeueClaim lets a claim try again that got nothing of use.
func (s *Store) requeueClaim(g *claimRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeError() == nil {
		s.enqueue(g.pending(false))
	}
}

// abandon says that nobody waits for the answer.
func (g *claimRequest) abandon() {
	s := g.claimer.store
	s.mu.Lock()
	g.abandoned = true
	l := g.lease
	if s.stopWaiting(g) {
		s.sendRest(g)
	}
	s.mu.Unlock()
	if l != nil {
		l.giveBack()
	}
}

// stopWaiting takes a claim out of those that wait. It reports false where it does not. It needs the
// lock.
func (s *Store) stopWaiting(g *claimRequest) bool {
	i := slices.Index(s.waiting, g)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	if !g.awake {
		g.giveUp()
	}
	return true
}

// sendRest tells the others that a claim waits no longer; it needs the lock.
func (s *Store) sendRest(g *claimRequest) {
	if s.writeError() == nil {
		s.enqueue(&pending{change: change{Rest: g.claimer.about.Number}})
	}
}

// retryClaim lets a claim that waits try again; it needs the lock.
func (s *Store) retryClaim(g *claimRequest) {
	s.stopWaiting(g)
	s.asking++
	s.enqueue(g.pending(true))
}

// claimWithSubmits writes claims right behind submits, as many as are to be claimed here: the tasks need
// not be seen first. It needs the lock.
func (s *Store) claimWithSubmits(submits []submission) {
	if len(submits) == 0 || len(s.waiting) == 0 || s.draining {
		return
	}
	at := func(of *submission) int {
		return slices.IndexFunc(s.waiting, func(g *claimRequest) bool { return g.claimer.about.takes(of) })
	}
	n := 0
	for i := range submits {
		if submits[i].runsAtOnce() && at(&submits[i]) >= 0 {
			n++
		}
	}
	if n == 0 {
		return
	}
	n = s.machine.turns.share(s.self, n) - s.asking
	for i := 0; n > 0 && i < len(submits); i++ {
		if at := at(&submits[i]); at >= 0 && submits[i].runsAtOnce() {
			s.retryClaim(s.waiting[at])
			n--
		}
	}
}

// runsAtOnce reports whether nothing keeps the task waiting for anything but a worker.
func (s *submission) runsAtOnce() bool {
	c := s.Conditions
	return c == nil || c.RunAt.IsZero() && len(c.After) == 0 && c.Group == "" && c.Key == "" && len(c.Needs) == 0
}

// takes reports whether the claimer takes such a task.
func (j *join) takes(s *submission) bool {
	return (j.Every || slices.Contains(j.Types, s.Type)) && s.Conditions.RunsWith(j.Labels)
}

// retryClaims lets claims try again for which there may be something now, where it is the turn of this
// process. Behind each message, and a while after, it is called.
func (s *Store) retryClaims() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 || s.draining || s.writeError() != nil {
		return
	}
	s.machine.turns.noteReady(s.machine.tasks.Woken())
	var awake []*claimRequest
	for _, g := range s.waiting {
		if s.mayHaveTask(g) {
			awake = append(awake, g)
		}
	}
	if len(awake) == 0 {
		return
	}
	n := min(max(s.machine.turns.claimsDue(s.self)-s.asking, 0), len(awake))
	for _, g := range awake[:n] {
		s.retryClaim(g)
	}
	if n < len(awake) && s.turnTimer == nil {
		s.turnTimer = time.AfterFunc(s.machine.turns.timeout(), s.retryClaimsLater)
	}
}

// retryClaimsLater takes the turns that others had and did not take.
func (s *Store) retryClaimsLater() {
	s.mu.Lock()
	s.turnTimer = nil
	s.mu.Unlock()
	s.retryClaims()
}

// mayHaveTask reports whether there may be something for a claim that waits. One that was woken for what
// others have by now waits on. It needs the lock.
func (s *Store) mayHaveTask(g *claimRequest) bool {
	if !g.awake {
		select {
		case <-g.woken:
		default:
			return false
		}
	}
	g.awake = true
	woken, giveUp := s.machine.tasks.Await(g.inner) // before the look, so that nothing is missed
	if s.machine.tasks.Offers(g.inner) {
		giveUp()
		return true
	}
	g.woken, g.giveUp, g.awake = woken, giveUp, false
	return false
}
