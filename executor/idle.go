package executor

import "context"

// Idle reports whether there is no connection, no task runs, none that is queued can run
// here, nothing waits in an outbox, and no schedule has a due time to come. It is false before Run has joined the store,
// and where code does not stop. Of an executor that runs nothing only the connections count.
// What others run of a store that they share counts for none.
func (e *Executor) Idle(ctx context.Context) (bool, error) {
	switch {
	case !e.stop.joined() || e.connections.Load() > 0:
		return false, nil
	case e.sendsLater():
		return false, nil
	case e.drives(): // the tasks and the schedules are those of others
		return true, nil
	case e.busy() || !e.schedules.quiet.Load():
		return false, nil
	}
	counts, err := e.store.Counts(ctx)
	if err != nil {
		return false, err
	}
	if e.shared {
		counts.Running = 0 // busy has said that none runs here
	}
	stay := e.finishesLost.Load() + e.requeued.Load()
	if counts.Running > stay || e.finishesPending.Load() > 0 || counts.Queued == 0 {
		return counts.Running <= stay && e.finishesPending.Load() == 0, nil
	}
	if !e.Durable() { // the tasks would end with the process
		return false, nil
	}
	others, err := e.claimer.Unclaimable(ctx, 0) // after Counts, so that a task is never taken for another's
	return counts.Queued <= others, err
}

// joined reports whether Run has joined the store.
func (s *shutdown) joined() bool {
	s.beginning.Lock()
	defer s.beginning.Unlock()
	return s.stopClaims != nil
}
