package sqlite

import (
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// ending is the end of a task, as a part of an entry.
type ending struct {
	record *record
	task   *schema.Task // without its input, which the record has
	seq    uint64
	size   int64
}

// endOf makes the final task; it needs the lock.
func endOf(r *record, as schema.Task, o executor.Outcome) ending {
	kit.End(&as, o, r.out.bytes(), schema.Now())
	size := kit.KeptBytes(as.Input, as.Result, r.out.kept())
	as.Input = nil
	return ending{record: r, task: &as, size: size}
}

func (e *ending) write(t *transaction) error {
	if _, err := t.writer(); err != nil {
		return err
	}
	if err := t.number(executor.SeqsPerFinish); err != nil {
		return err
	}
	e.seq = t.seq
	t.done = append(t.done, file.DoneRow{Ord: e.record.ord, Task: e.task, Seq: e.seq, Size: e.size})
	if err := t.removeActive(e.record.ord); err != nil {
		return err
	}
	t.open.Remove(e.record.ord)
	t.state.Active--
	t.state.Ended(e.task.State, 1, e.size)
	return t.writeRest(e.record)
}

func (e *ending) apply(s *Store) {
	r := e.record
	if r.State == schema.Running {
		delete(s.running, r)
		s.counts.Running--
	} else {
		s.counts.Queued--
	}
	r.final, r.lease = e.task, nil
	delete(s.live, r.ID)
	s.feed.Publish(r.Owner, r.Events, executor.Event{ID: r.ID, Kind: executor.EventFinished, Task: e.task})
	s.trees.End(r.ID, e.task.State)
	s.dedupes.End(r.Conditions, r.ID, e.task.State, e.task.FinishedAt)
	s.planned.Ended(r.ID, s.nodes.End(r.ID), e.task.State)
}

// finish is the entry of a Lease.Finish.
type finish struct {
	ending
	lease    *lease
	recorded func(error)
	err      error
}

// Finish implements executor.Lease.
func (l *lease) Finish(o executor.Outcome, recorded func(error)) {
	s, r := l.store, l.record
	s.mu.Lock()
	if err := l.lostBy(); err != nil {
		s.mu.Unlock()
		recorded(err)
		return
	}
	l.finishing = true
	s.permits.leases--
	as := l.claimed.Task // with the changes before the end in the log, visible or not
	as.Progress, as.CancelRequestedAt, as.CancelReason = l.progress, r.cancelRequest.at, r.cancelRequest.reason
	e := &finish{ending: endOf(r, as, o), lease: l, recorded: recorded}
	s.ahead++
	s.held += e.size
	s.append(e)
	s.mu.Unlock()
}

func (e *finish) weight() (int, int) { return 1, int(e.size) - len(e.record.Input) }

func (e *finish) apply(s *Store) {
	e.ending.apply(s)
	s.ahead--
	s.held -= e.size
}

func (e *finish) fail(s *Store, _ error) entry {
	s.committer.undo = append(s.committer.undo, undo{record: e.record})
	return e
}

func (e *finish) done() { e.recorded(e.err) }
