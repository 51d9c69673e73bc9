package executor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/schema"
)

// This file makes, removes and shows schedules. scheduler.go submits their tasks.

// The limits of schedules.
const (
	MaxSchedules     = 1000
	MaxScheduleBytes = 64 << 10    // of the JSON of one, its submit included
	LeastEvery       = time.Second // of everyMs
	MaxJitter        = 24 * time.Hour
)

const (
	// ScheduleLabel is the label of the tasks of a schedule: its name.
	ScheduleLabel = "schedule"
	// ownerLabel is the label of who submits a task; of those of schedules that is scheduleOwner.
	ownerLabel, scheduleOwner = "owner", "schedule"
)

// storedSchedule is a schedule as the store keeps it, as JSON.
type storedSchedule struct {
	schema.ScheduleParams
	Generation uuid.UUID           `json:"generation"` // another one after each change
	CreatedAt  schema.Time         `json:"createdAt"`
	Since      schema.Time         `json:"since"`            // from when on everyMs is counted
	Decided    schema.Time         `json:"decided"`          // up to it, each due time was decided
	LastDue    schema.Time         `json:"lastDue,omitzero"` // of its last task
	LastTask   uuid.UUID           `json:"lastTask,omitzero"`
	Skipped    *schema.SkippedTime `json:"skipped,omitzero"`
}

// times are the due times.
func (s *storedSchedule) times() (*schedule.Times, error) {
	if s.EveryMs > 0 {
		return schedule.Every(time.Duration(s.EveryMs)*time.Millisecond, s.Since, s.Until), nil
	}
	return schedule.Cron(s.Cron, cmp.Or(s.TimeZone, schedule.UTC), s.Until)
}

// scheduled is a schedule that was read. It does not change.
type scheduled struct {
	storedSchedule
	text  []byte // that it was read of
	due   *schedule.Times
	next  schema.Time // the next due time, or 0
	fault error       // why it makes no tasks; due is nil then
}

func newScheduled(s storedSchedule, text []byte, due *schedule.Times) *scheduled {
	return &scheduled{storedSchedule: s, text: text, due: due, next: due.Next(s.Decided)}
}

// schedules are those of the store.
type schedules struct {
	mu      fairLock // held while one is changed or decided; protects the next two
	known   map[string]*scheduled
	failing bool          // the last look could not submit something
	changed chan struct{} // has room for one
	// quiet is set while none has a due time to come. It is not set before the first look.
	quiet atomic.Bool
}

// fairLock is a mutex that is given in the order in which it is asked for, so that one who gives it
// away and wants it back waits behind the others. It is a channel with room for one.
type fairLock chan struct{}

func (l fairLock) lock()   { l <- struct{}{} }
func (l fairLock) unlock() { <-l }

func (s *schedules) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// readSchedules reads all schedules, sorted by name. It parses only those that have changed. It
// needs the lock.
func (e *Executor) readSchedules(ctx context.Context) ([]*scheduled, error) {
	texts, err := e.store.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	all, known := make([]*scheduled, len(texts)), make(map[string]*scheduled, len(texts))
	for i, t := range texts {
		s := e.schedules.known[t.Name]
		if s == nil || !bytes.Equal(s.text, t.Text) {
			s = e.readSchedule(t)
		}
		all[i], known[t.Name] = s, s
	}
	e.schedules.known = known
	return all, nil
}

func (e *Executor) readSchedule(t ScheduleText) *scheduled {
	var s storedSchedule
	var due *schedule.Times
	err := json.Unmarshal(t.Text, &s)
	if err == nil {
		due, err = s.times()
	}
	if err == nil && e.shared { // others may have the type, so what is due is theirs, and must not be passed over here
		if _, err = e.lookup(s.Submit.Type); err != nil {
			err = fmt.Errorf("%w; a server of the store that has the type makes its tasks", err)
		}
	}
	s.Name = t.Name
	if err == nil {
		return newScheduled(s, t.Text, due)
	}
	if before := e.schedules.known[t.Name]; before == nil || before.fault == nil || before.fault.Error() != err.Error() {
		e.log.Error("a schedule makes no tasks here", "schedule", t.Name, "error", err)
	}
	return &scheduled{storedSchedule: s, text: t.Text, fault: err}
}

// findSchedule is the schedule with the name, or nil. It needs the lock.
func (e *Executor) findSchedule(ctx context.Context, name string) (found *scheduled, others int, err error) {
	all, err := e.readSchedules(ctx)
	if err != nil {
		return nil, 0, err
	}
	if at, ok := slices.BinarySearchFunc(all, name, bySchedule); ok {
		return all[at], len(all) - 1, nil
	}
	return nil, len(all), nil
}

func bySchedule(s *scheduled, name string) int { return strings.Compare(s.Name, name) }

// scheduleText is a schedule as the store keeps it.
func scheduleText(s *storedSchedule) ([]byte, error) {
	return json.Marshal(s, json.Deterministic(true))
}

// Schedule makes a schedule, or changes the one with the name, and answers it. Where nothing is
// other than before, nothing changes.
func (e *Executor) Schedule(ctx context.Context, p *schema.ScheduleParams) (schema.Schedule, error) {
	if err := e.checkSchedule(p); err != nil {
		return schema.Schedule{}, err
	}
	if e.stop.begun() {
		return schema.Schedule{}, ErrShuttingDown
	}
	e.schedules.mu.lock()
	defer e.schedules.mu.unlock()
	old, others, err := e.findSchedule(ctx, p.Name)
	now := schema.Now()
	var before storedSchedule
	switch {
	case err != nil:
		return schema.Schedule{}, err
	case old == nil && tooManySchedules(others) != nil:
		return schema.Schedule{}, tooManySchedules(others)
	case old != nil && old.fault == nil:
		if same, err := sameSchedule(&old.ScheduleParams, p); err != nil || same {
			return e.shownSchedule(ctx, old), err
		}
		if before, err = e.endSchedule(ctx, old, now); err != nil {
			return schema.Schedule{}, err
		}
	case old != nil:
		before = old.storedSchedule
	}
	text, err := scheduleText(before.changed(p, now))
	if err == nil {
		err = e.store.SetSchedules(ctx, ScheduleText{Name: p.Name, Text: text})
	}
	if err != nil {
		return schema.Schedule{}, err
	}
	made, _, err := e.findSchedule(ctx, p.Name)
	if err != nil {
		return schema.Schedule{}, err
	}
	e.schedules.quiet.Store(false) // until the scheduler has looked
	e.schedules.notify()
	return e.shownSchedule(ctx, made), nil
}

// endSchedule submits what a schedule has due, as it is before it is changed, and answers it with
// that. Where the queue is full, there is no task for what is due: a full queue must not keep
// anybody from changing what fills it.
func (e *Executor) endSchedule(ctx context.Context, s *scheduled, now schema.Time) (storedSchedule, error) {
	t := newTurn(s, now)
	r := round{now: now, turns: []*turn{t}}
	r.run(ctx, e)
	if errors.Is(t.err, ErrQueueFull) {
		t.after.skip(t.failedAt, "the queue was full when the schedule was changed")
		t.err = nil
	}
	return t.after, t.err
}

// changed is a schedule that takes the place of s, which is the zero value where there is none.
func (s *storedSchedule) changed(p *schema.ScheduleParams, now schema.Time) *storedSchedule {
	to := &storedSchedule{
		ScheduleParams: *p, Generation: uuid.New(), CreatedAt: cmp.Or(s.CreatedAt, now), Since: now, Decided: now,
		LastDue: s.LastDue, LastTask: s.LastTask, Skipped: s.Skipped,
	}
	if p.EveryMs == s.EveryMs && s.Since != 0 {
		to.Since = s.Since
	}
	if back := schema.Time(schedule.MaxBack.Microseconds()); s.Decided-now <= back { // the clock may have been set back
		to.Decided = max(now, s.Decided)
	}
	return to
}

func sameSchedule(a, b *schema.ScheduleParams) (bool, error) {
	one, err := json.Marshal(a, json.Deterministic(true))
	if err != nil {
		return false, err
	}
	other, err := json.Marshal(b, json.Deterministic(true))
	return bytes.Equal(one, other), err
}

// Unschedule removes a schedule, and reports whether there was one. Its tasks stay.
func (e *Executor) Unschedule(ctx context.Context, name string) (existed bool, err error) {
	e.schedules.mu.lock()
	defer e.schedules.mu.unlock()
	old, _, err := e.findSchedule(ctx, name)
	if err != nil {
		return false, err
	}
	if err := e.store.SetSchedules(ctx, ScheduleText{Name: name}); err != nil { // one that cannot be read is not found
		return false, err
	}
	e.schedules.notify()
	return old != nil, nil
}

// Schedules answers a page of the schedules, sorted by name. The cursor is that of the page
// before, or "".
func (e *Executor) Schedules(ctx context.Context, cursor string, limit int) (schema.SchedulesResult, error) {
	e.schedules.mu.lock()
	all, err := e.readSchedules(ctx)
	e.schedules.mu.unlock()
	if err != nil {
		return schema.SchedulesResult{}, err
	}
	begin, found := slices.BinarySearchFunc(all, cursor, bySchedule)
	if found {
		begin++
	}
	end := min(begin+limit, len(all))
	page := schema.SchedulesResult{Schedules: []schema.Schedule{}}
	for _, s := range all[begin:end] {
		page.Schedules = append(page.Schedules, e.shownSchedule(ctx, s))
	}
	if end < len(all) {
		page.NextCursor = all[end-1].Name
	}
	return page, nil
}

// shownSchedule is a schedule as it is shown. A schedule that was read never changes.
func (e *Executor) shownSchedule(ctx context.Context, s *scheduled) schema.Schedule {
	shown := s.shown()
	if shown.Last != nil {
		if r, err := e.store.Get(ctx, s.LastTask); err == nil {
			shown.Last.State, shown.Last.Error = &r.State, r.Error
		}
	}
	return shown
}
