package nats

import (
	"slices"
	"time"

	"github.com/jobline/jobline/executor"
)

// This file has the claims of this process, while they are in flight and while they wait for a task.

// claimRequest is one call of Claim.
type claimRequest struct {
	claimer  *claimer
	answered chan struct{} // closed when err or lease is set

	// The store's mu protects what follows.
	err       error
	lease     *lease
	abandoned bool
	// Set while it waits for a task:
	inner  executor.Claimer // the claimer of the copy
	woken  <-chan struct{}  // gets a value when there may be a task
	giveUp func()           // ends the wait for woken
	awake  bool             // woken has got its value, and no claim was sent since
}

// pending is the change that claims. again says that the request has waited for a task.
func (g *claimRequest) pending(again bool) *pending {
	return &pending{change: change{Claim: g.claimer.about.Number, Again: again}, done: func(a answer) { g.done(a, again) }}
}

// done takes the answer of the log. The goroutine that applies the log calls it.
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
	case late: // the others may have fenced this process, and given the task to another one
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

// requeueClaim sends a claim again whose lease came too late to be used.
func (s *Store) requeueClaim(g *claimRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writeError() == nil {
		s.enqueue(g.pending(false))
	}
}

// abandon says that the caller of Claim waits no longer. A lease that has come, or comes later, is given back.
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

// stopWaiting takes a claim out of those that wait for a task. It reports false if it is not one of them. The
// caller holds mu.
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

// sendRest tells the other processes that a claim waits no longer. The caller holds mu.
func (s *Store) sendRest(g *claimRequest) {
	if s.writeError() == nil {
		s.enqueue(&pending{change: change{Rest: g.claimer.about.Number}})
	}
}

// retryClaim sends a claim again that waits for a task. The caller holds mu.
func (s *Store) retryClaim(g *claimRequest) {
	s.stopWaiting(g)
	s.asking++
	s.enqueue(g.pending(true))
}

// claimWithSubmits sends claims right after the submits of this process, as many as it is likely to get. So a
// task that starts here needs one trip through the log and not two. The caller holds mu.
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

// runsAtOnce reports whether the task needs nothing but a worker to run.
func (s *submission) runsAtOnce() bool {
	c := s.Conditions
	return c == nil || c.RunAt.IsZero() && len(c.After) == 0 && c.Group == "" && c.Key == "" && len(c.Needs) == 0
}

// takes reports whether the claimer takes tasks like this one.
func (j *join) takes(s *submission) bool {
	return (j.Every || slices.Contains(j.Types, s.Type)) && s.Conditions.RunsWith(j.Labels)
}

// retryClaims sends claims again for which there may be a task now, as many as it is the turn of this process
// to send. It is called after each message, and once more when the turns of others have passed.
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

// retryClaimsLater takes the turns that other processes had and did not use.
func (s *Store) retryClaimsLater() {
	s.mu.Lock()
	s.turnTimer = nil
	s.mu.Unlock()
	s.retryClaims()
}

// mayHaveTask reports whether there may be a task for a claim that waits. A claim that was woken for a task
// that another process has got meanwhile waits on. The caller holds mu.
func (s *Store) mayHaveTask(g *claimRequest) bool {
	if !g.awake {
		select {
		case <-g.woken:
		default:
			return false
		}
	}
	g.awake = true
	woken, giveUp := s.machine.tasks.Await(g.inner) // before Offers, so that no task is missed
	if s.machine.tasks.Offers(g.inner) {
		giveUp()
		return true
	}
	g.woken, g.giveUp, g.awake = woken, giveUp, false
	return false
}
