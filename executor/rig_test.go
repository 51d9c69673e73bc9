package executor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// rig is an executor that runs over a store in memory, in a bubble in which
// time passes when all wait.
type rig struct {
	*testing.T
	*executor.Executor
	store executor.Store
	log   *syncBuffer
	over  chan error // gets what Run returns
}

// syncBuffer is a log that many may write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// joined is a claimer that makes something else of its leases.
type joined struct {
	executor.Claimer
	wrap func(executor.Lease) executor.Lease
}

func join(ctx context.Context, s executor.Store, o executor.Offer, wrap func(executor.Lease) executor.Lease) (executor.Claimer, error) {
	c, err := s.Join(ctx, o)
	return joined{c, wrap}, err
}

func (j joined) Claim(ctx context.Context, ended executor.Ended) (executor.Lease, error) {
	ended.Finish()
	l, err := j.Claimer.Claim(ctx, executor.Ended{})
	if err != nil {
		return nil, err
	}
	return j.wrap(l), nil
}

func newMemory() executor.Store { return memory.New(memory.Options{}) }

// withRig runs a test on an executor, and ends it.
func withRig(t *testing.T, o executor.Options, test func(r *rig)) {
	t.Helper()
	withStore(t, o, newMemory, test)
}

func withStore(t *testing.T, o executor.Options, open func() executor.Store, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, o, open())
		go func() { r.over <- r.Executor.Run(t.Context()) }()
		test(r)
		r.Begin(schema.ShutdownCancel)
		<-r.over
		synctest.Wait() // for the code of tasks that were given up
		require.NoError(t, r.store.Close())
	})
}

func newRig(t *testing.T, o executor.Options, s executor.Store) *rig {
	log := &syncBuffer{}
	o.Logger = slog.New(slog.NewTextHandler(log, nil))
	o.Types = append(testTypes(), o.Types...)
	e, err := executor.New(s, o)
	require.NoError(t, err)
	return &rig{T: t, Executor: e, store: s, log: log, over: make(chan error, 1)}
}

type napInput struct {
	Ms int64 `json:"ms,omitzero"`
}

type empty struct{}

func (in napInput) duration() time.Duration { return time.Duration(in.Ms) * time.Millisecond }

// testTypes are tasks that behave, and such that do not.
func testTypes() []executor.Type {
	return []executor.Type{
		executor.MustDefine("nap", func(ctx context.Context, in napInput) (napInput, error) {
			select {
			case <-time.After(in.duration()):
				return in, nil
			case <-ctx.Done():
				return in, context.Cause(ctx)
			}
		}, executor.Alias("snooze", "doze")),
		executor.MustDefine("deaf", func(_ context.Context, in napInput) (napInput, error) {
			time.Sleep(in.duration())
			return in, nil
		}),
		executor.MustDefine("fail", func(context.Context, empty) (empty, error) {
			return empty{}, errors.New("as it must")
		}),
	}
}

func nap(d time.Duration) schema.SubmitParams { return taking("nap", d) }

func taking(typ string, d time.Duration) schema.SubmitParams {
	return schema.SubmitParams{Type: typ, Input: jsontext.Value(jsonOf(d))}
}

func jsonOf(d time.Duration) string {
	return `{"ms":` + strconv.FormatInt(d.Milliseconds(), 10) + `}`
}

// submit sends one task, which must be admitted.
func (r *rig) submit(p schema.SubmitParams) uuid.UUID {
	r.Helper()
	record, err := r.Prepare(&p)
	require.NoError(r, err)
	answers, err := r.Submit(r.Context(), []executor.Submission{record})
	require.NoError(r, err)
	require.NoError(r, answers[0].Err)
	return record.ID
}

func (r *rig) of(typ string) uuid.UUID {
	r.Helper()
	return r.submit(schema.SubmitParams{Type: typ})
}

// pass lets time pass, and all that is due then.
func (r *rig) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// task is the task when all that can happen now has happened.
func (r *rig) task(id uuid.UUID) schema.Task {
	r.Helper()
	synctest.Wait()
	t, err := r.Status(r.Context(), id)
	require.NoError(r, err)
	return t
}

func (r *rig) inState(id uuid.UUID, want schema.State) schema.Task {
	r.Helper()
	t := r.task(id)
	require.Equal(r, want.String(), t.State.String())
	return t
}

func (r *rig) stats() schema.StatsResult {
	r.Helper()
	synctest.Wait()
	s, err := r.Stats(r.Context())
	require.NoError(r, err)
	return s
}

func (r *rig) cancel(id uuid.UUID, c executor.Cancellation) schema.CancelOutcome {
	r.Helper()
	outcome, t, err := r.Cancel(r.Context(), id, c)
	require.NoError(r, err)
	require.Equal(r, id, t.ID)
	return outcome
}

func (r *rig) watchAll() executor.Watcher {
	r.Helper()
	w, err := r.Watch(r.Context())
	require.NoError(r, err)
	w.Subscribe(r.Context(), executor.Selector{Events: executor.AllEvents})
	return w
}

// drain is all that the watcher has by now.
func (r *rig) drain(w executor.Watcher) []executor.Event {
	r.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	var events []executor.Event
	for {
		more, err := w.Next(ctx)
		if err != nil {
			return events
		}
		events = append(events, more...)
	}
}

// took is how long a task ran.
func took(t schema.Task) time.Duration { return t.FinishedAt.Time().Sub(t.StartedAt.Time()) }
