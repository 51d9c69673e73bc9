package sqlite

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"runtime"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file has the tasks with conditions, and those that are tried again. They wait in the planner in place of the queue, and
// all of their records are in memory.

// awaited is a task that another one comes after, or is a part of.
type awaited struct {
	record *record      // of a task that is not final, or nil where it is in the backlog
	state  schema.State // of a final task
}

// await looks for the tasks that a task comes after, which is to be recorded. It answers false
// where one of them is not known.
func (e *submission) await(t *transaction, i int) (ok bool, err error) {
	s, after := e.store, e.tasks[i].Conditions.After
	found := make([]awaited, len(after))
	for n, d := range after {
		if e.members.Has(d.ID) {
			continue
		}
		t.awaited[d.ID] = struct{}{}
		var err error
		found[n], err = s.known(t, d.ID)
		switch {
		case errors.Is(err, executor.ErrNotFound), errors.Is(err, executor.ErrTaskGone):
			e.answers[i].Err = executor.UnknownDependency(n, d.ID, err)
			return false, nil
		case errors.Is(err, executor.ErrDamaged): // this concerns no other task of the submit
			e.answers[i].Err = err
			return false, nil
		case err != nil:
			return false, err
		}
	}
	if e.after == nil {
		e.after = map[int][]awaited{}
	}
	e.after[i] = found
	return true, nil
}

// known is a task that a submit names. The error is as executor.Submitted has it.
func (s *Store) known(t *transaction, id uuid.UUID) (a awaited, err error) {
	s.mu.Lock()
	a.record = cmp.Or(t.fresh[id], s.live[id])
	s.mu.Unlock()
	if a.record != nil {
		return a, nil
	}
	r, _, err := s.storedWith(t.conn, id)
	if errors.Is(err, executor.ErrNotFound) {
		if gone, e := t.forgotten(id); e != nil {
			return a, e
		} else if gone {
			err = executor.ErrTaskGone
		}
	}
	a.state = r.State
	return a, err
}

// planSubmitted gives a task to the planner. It needs the lock.
func (s *Store) planSubmitted(r *record, after []awaited) {
	s.planned.Submit(r.planned, schema.Now(), s.beforeAll(r.planned.Conditions, after))
}

// beforeAll are the tasks that one with these conditions comes after. It needs the lock.
func (s *Store) beforeAll(c *schema.Conditions, after []awaited) []kit.Before {
	before := make([]kit.Before, len(after))
	for i := range after {
		state := after[i].state
		if r := after[i].record; r != nil && r.final != nil { // it has ended meanwhile
			state = r.final.State
		}
		before[i] = s.before(c.After[i].ID, state)
	}
	return before
}

// before is a task that another one comes after. It needs the lock.
func (s *Store) before(id uuid.UUID, state schema.State) kit.Before {
	b := kit.Before{State: state}
	if !state.Final() {
		b.Node = s.nodes.Of(id)
	}
	return b
}

// planFound gives the tasks that the last process left to the planner, and the settings of
// groups. It reads the schedules, too.
func (s *Store) planFound() error {
	now := schema.Now()
	c := s.committer.conn
	err := file.ReadGroups(c, func(name string, settings plan.Settings, err error) {
		if err != nil { // it has some, which may be there to hold tasks back
			s.log.Error("the settings of a group cannot be read, so it is paused until it has others; no name is everything", "group", name, "error", err)
			settings = plan.Settings{Paused: true}
		}
		if name == "" {
			s.planned.Pause(settings.Paused)
		} else {
			s.planned.SetGroup(name, settings, now)
		}
	})
	if err != nil {
		return err
	}
	if err := s.rateFound(c, now); err != nil {
		return err
	}
	if err := s.readSchedules(); err != nil {
		return err
	}
	var found []*record
	for _, r := range s.live {
		if r.planned != nil {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b *record) int { return cmp.Compare(a.ord, b.ord) })
	for _, r := range found {
		if err := s.planOne(c, r, now); err != nil {
			return err
		}
	}
	if err := s.treesFound(c, found); err != nil {
		return err
	}
	return s.dedupeFound(c, found)
}

// rateFound tells the planner which tasks have begun of each group that has a rate, so that a
// restart lets no more of them begin.
func (s *Store) rateFound(c *file.Conn, now schema.Time) error {
	began, err := startsOf(c, func(yield func(string, plan.Rate) bool) {
		for _, g := range s.planned.Overview().Groups {
			if !yield(g.Name, g.Settings.Rate) {
				return
			}
		}
	}, now)
	for group, all := range began {
		s.planned.Began(group, all, now)
	}
	return err
}

// startsOf answers when tasks have begun of each group that has a rate, as far as that still counts.
func startsOf(c *file.Conn, rates iter.Seq2[string, plan.Rate], now schema.Time) (began map[string][]schema.Time, err error) {
	var longest time.Duration
	began = map[string][]schema.Time{}
	for name, rate := range rates {
		if rate.Count > 0 {
			longest = max(longest, rate.Per)
			began[name] = nil
		}
	}
	if len(began) == 0 {
		return nil, nil
	}
	err = file.EachStart(c, now-schema.Time(longest.Microseconds()), func(group string, at schema.Time) {
		if _, rated := began[group]; rated {
			began[group] = append(began[group], at)
		}
	})
	for _, all := range began {
		slices.Sort(all)
	}
	return began, err
}

// planOne gives a task to the planner that was in the file.
func (s *Store) planOne(c *file.Conn, r *record, now schema.Time) error {
	after := r.planned.Conditions.After
	before := make([]kit.Before, len(after))
	for i, d := range after {
		state, err := s.foundState(c, d)
		if err != nil {
			return err
		}
		before[i] = s.before(d.ID, state)
	}
	s.planned.Submit(r.planned, now, before)
	return nil
}

// foundState is the state of a task that another one comes after. One that is no longer kept
// ended as it had to: the end of another one is kept until the tasks are recorded that end by
// it. One that cannot be read holds up those that come after it, if it has not ended. If it has,
// and how is important to them, they end too.
func (s *Store) foundState(c *file.Conn, d schema.Dependency) (schema.State, error) {
	if s.live[d.ID] != nil {
		return schema.Queued, nil
	}
	met, unmet := schema.Completed, schema.Failed
	if d.On == schema.OnFailure {
		met, unmet = unmet, met
	}
	r, ord, final, err := s.rowOf(c, d.ID)
	switch damaged := errors.Is(err, executor.ErrDamaged); {
	case err == nil && final:
		return r.State, nil
	case err == nil, damaged && s.open.Has(ord):
		return schema.Queued, nil
	case errors.Is(err, executor.ErrNotFound):
		return met, nil
	case damaged:
		return unmet, nil
	}
	return schema.Queued, err
}

// next takes out the task that is to run next for a member. It answers nil where there is none,
// or where its record must be read first. It needs the lock.
func (s *Store) next(m *kit.Member, now schema.Time) *record {
	if s.planned.Paused() {
		return nil
	}
	if s.planned.Len() == 0 { // the usual case
		return s.claims.Take(m)
	}
	t := s.planned.Peek(m.Taker(), now)
	if t == nil || s.claims.precedes(m, t) {
		return s.claims.Take(m)
	}
	s.planned.Take(t, now)
	m.Hold(t.Type)
	s.planned.Settle(now)
	return t.Value.(*record)
}

// precedes reports whether the next task for a member is to run before a task of the planner.
func (q *queue) precedes(m *kit.Member, t *plan.Task) bool {
	if e := q.Peek(m); e != nil && !kit.Precedes(t, e.Value.Priority, e.Order()) {
		return true
	}
	priority, order, found := q.backlog.Best(m.Takes)
	return found && !kit.Precedes(t, priority, order)
}

// unplan takes a task out of the planner that is to be cancelled. It needs the lock.
func (s *Store) unplan(r *record) {
	s.planned.Suspend(r.planned)
	s.planned.Settle(schema.Now())
}

// replace puts a task back into the planner that was taken, or was to be cancelled. It needs
// the lock.
func (s *Store) replace(r *record) bool {
	now := schema.Now()
	if r.planned.Taken() {
		s.planned.Return(r.planned, now)
	} else {
		s.planned.Resume(r.planned, now)
	}
	s.planned.Settle(now)
	return true
}

// seen is the task as it is seen now, with its input and what it waits for. It needs the lock.
func (s *Store) seen(r *record) schema.Task {
	t := s.snapshot(r)
	if r.planned != nil && t.State == schema.Queued {
		t.WaitingFor = s.planned.Waits(r.planned, r.History)
	}
	return t
}

// unrun is the entry of a task that ends because of its conditions.
type unrun struct {
	ending
	below bool // a cancel was on its way to it
}

// endPlanned ends a task because of its conditions, if it still waits. One to which a cancel is on
// its way is cancelled. It needs the lock.
func (s *Store) endPlanned(e plan.Ending) {
	r := e.Task.Value.(*record)
	if r.final != nil || r.planned != e.Task || s.closed {
		return
	}
	if r.cancelling { // if that fails, it ends by its conditions
		s.planned.Defer(e)
		return
	}
	r.cancelling = true
	c := s.trees.CancelOf(r.ID)
	if c == nil {
		s.append(&unrun{ending: endOf(r, r.Task, kit.Unrun(e))})
		return
	}
	r.cancelRequest = cancelRequest{clock(r.CreatedAt), c.Reason}
	as := r.Task
	as.CancelRequestedAt, as.CancelReason = r.cancelRequest.at, r.cancelRequest.reason
	s.append(&unrun{ending: endOf(r, as, c.Outcome()), below: true})
}

func (e *unrun) weight() (int, int) { return 1, 0 }

func (e *unrun) apply(s *Store) {
	e.ending.apply(s)
	if e.below {
		s.counts.Below++
	} else {
		s.counts.Unrun++
	}
}

func (e *unrun) fail(s *Store, _ error) entry {
	s.committer.undo = append(s.committer.undo, undo{record: e.record})
	return e
}

func (e *unrun) done() {}

// pass tells the planner the time. Between two pieces those go first that wait for the lock.
func (s *Store) pass() {
	for s.passed() {
		runtime.Gosched()
	}
}

func (s *Store) passed() (more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.planned.Advance(schema.Now())
}

// Groups implements executor.Store.
func (s *Store) Groups(context.Context) (plan.Overview, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return plan.Overview{}, executor.ErrClosed
	}
	return s.planned.Overview(), nil
}
