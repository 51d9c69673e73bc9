package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

const (
	// smallPage keeps a file small, so that every bit of it can be flipped.
	smallPage = 512
	// damageShare is one of how many bits, and of how many lengths, is tried by
	// default.
	damageShare = 2000
)

// harmed is a file that is opened with damage of every kind.
type harmed struct {
	path     string
	whole    []byte // the file undamaged
	vfs      string // that does not sync
	ids      []uuid.UUID
	want     map[uuid.UUID]*shown // after it is opened undamaged
	wasFinal map[uuid.UUID]bool
	counts   executor.Counts
	window   int // of the next store; 0 is the default
}

// makeSmall makes a file of small pages for a store to fill.
func makeSmall(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE, fmt.Sprintf("page_size=%d", smallPage), "auto_vacuum=INCREMENTAL", "journal_mode=WAL")
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

// fillSmall has tasks of all states in a store, and answers their ids.
func fillSmall(t *testing.T, s *Store) (ids []uuid.UUID) {
	t.Helper()
	back := schema.Time(0)
	add := func(typ byte, set ...func(*uuid.UUID)) executor.Submission {
		id := idOf(typ)
		for _, f := range set {
			f(&id)
		}
		ids = append(ids, id)
		r := planned(id)
		r.CreatedAt -= back
		submit(t, s, r)
		return r
	}
	writes := func(id *uuid.UUID) { id[10] = 1 + 8*3 }
	labelled := func(id *uuid.UUID) { id[14] = 0 }
	fails := func(id *uuid.UUID) { id[9] = 7 }
	large := func(id *uuid.UUID) { id[12] = 0 }
	run := func() {
		l, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, l.Write(schema.Stdout, outputOf(l.Record().ID)))
		recorded := make(chan error, 1)
		l.Finish(outcomeOf(l.Record().ID), func(err error) { recorded <- err })
		require.NoError(t, <-recorded)
	}
	add(again, writes) // this one waits for its next attempt
	l, err := claimAny(t.Context(), s)
	require.NoError(t, err)
	tryLater(t, l)
	for _, set := range [][]func(*uuid.UUID){{writes, labelled}, {fails}, {large}} {
		add(once, set...)
		run()
	}
	dropped := add(again)
	answers, err := s.Cancel(t.Context(), []uuid.UUID{dropped.ID}, executor.Cancellation{Reason: "no longer wanted"})
	require.NoError(t, err)
	require.Equal(t, schema.OutcomeCancelled, answers[0].Outcome)
	for _, typ := range []byte{once, again} { // these two run when the store is left
		add(typ, writes)
		l, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, l.Write(schema.Stdout, outputOf(l.Record().ID)))
	}
	back = schema.Time(time.Minute.Microseconds()) // so far the clock is set back
	add(once, labelled)
	add(again, large)
	return ids
}

func newHarmed(t *testing.T) *harmed {
	dir := t.TempDir()
	d := &harmed{
		path: filepath.Join(dir, "tasks.db"), vfs: faultvfs.New(t, faultvfs.Options{}).Name(), wasFinal: map[uuid.UUID]bool{},
	}
	makeSmall(t, d.path)
	s, err := Open(t.Context(), d.options())
	require.NoError(t, err)
	d.ids = fillSmall(t, s)
	require.NoError(t, s.SetSchedules(t.Context(), sampleSchedule))
	for _, id := range d.ids {
		r, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		d.wasFinal[id] = r.State.Final()
	}
	require.NoError(t, s.Close())
	d.whole, err = os.ReadFile(d.path)
	require.NoError(t, err)
	s, err = Open(t.Context(), d.options())
	require.NoError(t, err)
	d.want, err = everything(t.Context(), s)
	require.NoError(t, err)
	require.Len(t, d.want, len(d.ids))
	d.counts, err = s.Counts(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Empty(t, d.try(t.Context(), d.whole), "without damage")
	return d
}

// tryLater ends an attempt that another one follows in an hour.
func tryLater(t *testing.T, l executor.Lease) {
	t.Helper()
	later := schema.Now() + schema.Time(time.Hour.Microseconds())
	recorded := make(chan error, 1)
	l.Retry(&executor.NextAttempt{At: later, Error: &schema.TaskError{Kind: schema.KindExit, Message: "exit 1"}}, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
}

func (d *harmed) options() Options { return Options{Path: d.path, VFS: d.vfs, window: d.window} }

// try opens a file in the place of the whole one. It answers what the store
// should not have done, or "".
func (d *harmed) try(ctx context.Context, file []byte) (wrong string) {
	defer func() {
		if v := recover(); v != nil {
			wrong = fmt.Sprint("panic: ", v)
		}
	}()
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(d.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err.Error()
		}
	}
	if err := os.WriteFile(d.path, file, 0o600); err != nil {
		return err.Error()
	}
	d.window = smallWindow - d.window // in turns
	s, err := Open(ctx, d.options())
	if err != nil {
		return d.refused(err, file)
	}
	wrong = d.opened(ctx, s)
	_ = s.Close() // a damaged file may say so
	return wrong
}

// refused checks a refusal.
func (d *harmed) refused(err error, file []byte) string {
	if !strings.Contains(err.Error(), d.path) {
		return fmt.Sprintf("the error names no file: %v", err)
	}
	now, e := os.ReadFile(d.path)
	if e != nil || !bytes.Equal(now, file) {
		return fmt.Sprintf("it refused and changed the file, from %d to %d bytes: %v, %v", len(file), len(now), err, e)
	}
	return ""
}

// opened checks that all that a store shows is as it was, where it is there.
func (d *harmed) opened(ctx context.Context, s *Store) string {
	for _, check := range []func(context.Context, *Store) error{d.lists, d.gets, d.replays, schedules, d.submits, d.claims} {
		if err := check(ctx, s); err != nil {
			return err.Error()
		}
	}
	return ""
}

var sampleSchedule = executor.ScheduleText{Name: "nightly", Text: []byte(`{"cron":"30 2 * * *"}`)}

// schedules checks that the schedule is as it was, where it can be read.
func schedules(ctx context.Context, s *Store) error {
	all, err := s.Schedules(ctx)
	if err == nil && len(all) > 0 && (len(all) > 1 || all[0].Name != sampleSchedule.Name || !bytes.Equal(all[0].Text, sampleSchedule.Text)) {
		err = fmt.Errorf("the schedules are %q", all)
	}
	return err
}

// allowed reports whether an error is one that a damaged file may have.
func allowed(err error) bool {
	return errors.Is(err, executor.ErrNotFound) || errors.Is(err, executor.ErrDamaged) || errors.Is(err, executor.ErrStoreUnavailable)
}

func (d *harmed) lists(ctx context.Context, s *Store) error {
	for _, f := range []executor.Filter{
		{}, {States: []schema.State{schema.Completed}}, {States: []schema.State{schema.Queued}},
		{States: []schema.State{schema.Failed, schema.Cancelled}},
		{Types: []string{"once"}}, {Types: []string{"again"}}, {Labels: map[string]string{"digit": "f"}}, {Since: 1, Until: 1 << 61},
	} {
		for _, oldest := range []bool{false, true} {
			p, err := s.List(ctx, f, executor.PageRequest{Oldest: oldest, Limit: 100})
			if err != nil && !allowed(err) {
				return fmt.Errorf("list %+v: %w", f, err)
			}
			seen := map[uuid.UUID]bool{}
			for i := range p.Tasks {
				t := &p.Tasks[i]
				want := d.want[t.ID]
				if want == nil || seen[t.ID] || !f.Match(t) {
					return fmt.Errorf("list %+v has %s, which is not of it, or twice", f, asText(t))
				}
				seen[t.ID] = true
				if got := (&shown{record: executor.Record{Task: *t}}); got.bare() != want.bare() {
					return fmt.Errorf("list %+v: %s was %s", f, got.bare(), want.bare())
				}
			}
		}
	}
	return nil
}

// bare is a task as lists show it.
func (s *shown) bare() string {
	t := s.record.Task
	t.Input = nil
	return (&shown{record: executor.Record{Task: t}}).String()
}

func (d *harmed) gets(ctx context.Context, s *Store) error {
	counts, err := s.Counts(ctx)
	c, most := &counts, &d.counts
	if err != nil || c.Queued > most.Queued || c.Running > 0 || c.Completed != most.Completed || c.Failed > most.Failed || c.Cancelled != most.Cancelled {
		return fmt.Errorf("the counts are %+v and were %+v, %v", counts, d.counts, err)
	}
	for _, id := range d.ids {
		want := d.want[id]
		r, err := s.Get(ctx, id)
		if err != nil {
			if !allowed(err) {
				return fmt.Errorf("get: %w", err)
			}
			continue
		}
		got, was := &shown{record: r}, &shown{record: want.record}
		if got.String() != was.String() {
			return fmt.Errorf("get: %s was %s", got, was)
		}
		for i := range want.outputs {
			o, err := s.Output(ctx, id, schema.Stream(i), executor.OutputRange{Tail: -1, Limit: 1 << 20})
			if err != nil && !allowed(err) {
				return fmt.Errorf("output: %w", err)
			}
			if all := want.outputs[i].Data; err == nil && !bytes.Equal(o.Data, all[min(o.Offset, int64(len(all))):][:min(len(o.Data), max(0, len(all)-int(o.Offset)))]) {
				return fmt.Errorf("output of %s from %d: %q was %q", id, o.Offset, o.Data, all)
			}
		}
	}
	return nil
}

func (d *harmed) replays(ctx context.Context, s *Store) error {
	events, err := s.Replay(ctx, 0, 1<<62, 100)
	if err != nil && !allowed(err) {
		return fmt.Errorf("replay: %w", err)
	}
	for i := range events {
		ev := &events[i]
		want := d.want[ev.ID]
		if want == nil || d.wasFinal[ev.ID] && ev.Seq != want.seq {
			return fmt.Errorf("replay: number %d: %s", ev.Seq, asText(ev.Task))
		}
		got, was := &shown{record: executor.Record{Task: *ev.Task}}, &shown{record: executor.Record{Task: want.record.Task}}
		was.record.Input = nil
		if got.String() != was.String() {
			return fmt.Errorf("replay: %s was %s", got, was)
		}
	}
	return nil
}

// submits submits again what has ended: it must not be taken for new, unless
// the index of the ids is what is damaged, and finds the task no more.
func (d *harmed) submits(ctx context.Context, s *Store) error {
	lost := map[uuid.UUID]bool{}
	for _, id := range d.ids {
		_, err := s.Get(ctx, id)
		lost[id] = errors.Is(err, executor.ErrNotFound)
	}
	for _, id := range d.ids {
		if !d.wasFinal[id] || lost[id] {
			continue
		}
		answers, err := s.Submit(ctx, []executor.Submission{planned(id)})
		if err == nil && answers[0].Err == nil && !answers[0].Existing {
			return fmt.Errorf("%s has ended, and was submitted again as new", id)
		}
	}
	return nil
}

func (d *harmed) claims(ctx context.Context, s *Store) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	waiting := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.claims.Len()
	}
	for waiting() > 0 && s.Info().Fault == "" {
		l, err := claimAny(ctx, s)
		if err != nil {
			if s.Info().Fault != "" { // the damage keeps it from starting anything
				return nil
			}
			return fmt.Errorf("claim: %w", err)
		}
		r := *l.Record()
		want := d.want[r.ID]
		if want == nil || want.record.State != schema.Queued || d.wasFinal[r.ID] {
			return fmt.Errorf("claim: %s is not a task that waits", asText(&r.Task))
		}
		r.State, r.StartedAt, r.Attempt = schema.Queued, want.record.StartedAt, r.Attempt-1
		r.OutputBytes = want.record.OutputBytes
		if got, was := (&shown{record: r}), (&shown{record: want.record}); got.String() != was.String() {
			return fmt.Errorf("claim: %s was %s", got, was)
		}
	}
	return nil
}
