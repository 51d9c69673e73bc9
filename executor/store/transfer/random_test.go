package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// worker does random things in a store.
type worker struct {
	*rand.Rand
	t      *testing.T
	store  executor.Store
	claims executor.Claimer
	ids    []uuid.UUID
	leases []executor.Lease
}

// work lets a store have tasks of all kinds. What runs at the end is left as it is, so that it is interrupted.
func work(t *testing.T, store executor.Store, seed uint64, steps int) {
	w := &worker{Rand: rand.New(rand.NewPCG(seed, 1)), t: t, store: store}
	ctx := t.Context()
	var err error
	w.claims, err = store.Join(ctx, executor.Offer{Labels: map[string]string{"p": "0"}})
	require.NoError(t, err)
	require.NoError(t, store.SetGroup(ctx, "g0", plan.Settings{Limit: 2, Rate: plan.Rate{Count: 3, Per: time.Hour}}))
	require.NoError(t, store.SetGroup(ctx, "g1", plan.Settings{Paused: true, Defaults: `{"priority":1}`}))
	require.NoError(t, store.SetSchedules(ctx, executor.ScheduleText{Name: "nightly", Text: []byte(`{"task":{"type":"t0"},"cron":"0 3 * * *"}`)}))
	w.submit(20) // so that there is something to claim
	for range steps {
		switch w.IntN(8) {
		case 0, 1:
			w.submit(1 + w.IntN(4))
		case 2, 3:
			w.claim()
		case 4, 5:
			w.end()
		case 6:
			_, err := store.Cancel(ctx, []uuid.UUID{w.some()}, executor.Cancellation{Reason: "so"})
			require.NoError(t, err)
		case 7:
			_, _ = store.Update(ctx, w.some(), &executor.Update{Priority: new(int8(w.IntN(5))), Labels: map[string]string{"of": "updated"}}) // some are not queued
		}
	}
	require.NoError(t, store.Pause(ctx, seed%2 == 0))
}

func (w *worker) some() uuid.UUID { return w.ids[w.IntN(len(w.ids))] }

func (w *worker) one(n int) bool { return w.IntN(n) == 0 }

func (w *worker) submit(n int) {
	all := make([]executor.Submission, n)
	for i := range all {
		s := &all[i]
		s.ID, s.Type, s.Priority, s.CreatedAt = uuid.Must(uuid.NewV7()), fmt.Sprint("t", w.IntN(3)), int8(w.IntN(5)-2), schema.Now()
		s.Input = fmt.Appendf(nil, `{"n":%d,"text":%q}`, w.IntN(100), bytes.Repeat([]byte("x"), w.IntN(3)*700))
		s.Timeout, s.Grace, s.Rerun = time.Duration(w.IntN(2))*time.Minute, time.Second, w.one(2)
		if w.one(3) {
			s.Labels = map[string]string{"of": fmt.Sprint(w.IntN(3)), "with space": "ü"}
		}
		if w.one(2) && len(w.ids) > 0 {
			s.Conditions = w.conditions()
		}
	}
	answers, err := w.store.Submit(w.t.Context(), all)
	require.NoError(w.t, err)
	for i := range answers {
		if answers[i].Err == nil && !answers[i].Existing {
			w.ids = append(w.ids, all[i].ID)
		}
	}
}

func (w *worker) conditions() *schema.Conditions {
	c := &schema.Conditions{Group: []string{"", "", "g0", "g1", "g2"}[w.IntN(5)], Key: []string{"", "", "k"}[w.IntN(3)]}
	if w.one(4) {
		c.RunAt = schema.Now() + schema.Time(time.Hour.Microseconds())
	}
	if w.one(4) {
		c.ExpiresAt = schema.Now() + schema.Time((2 * time.Hour).Microseconds())
	}
	if w.one(3) {
		c.After = []schema.Dependency{{ID: w.some(), On: schema.On(w.IntN(3))}}
	}
	if w.one(3) {
		c.Retry = &schema.Retry{MaxAttempts: 3, DelayMs: new(int64(1 + w.IntN(2)*3_600_000)), Factor: 2, MaxDelayMs: 9_000_000, Jitter: new(0.5)}
	}
	if w.one(4) {
		c.Dedupe = &schema.Dedupe{Key: fmt.Sprint("d", w.IntN(3)), On: []schema.DedupeOn{"", schema.DedupeReject, schema.DedupeReplace}[w.IntN(3)]}
	}
	if w.one(3) {
		c.Parent = w.some()
	}
	if w.one(4) {
		c.On = map[string]string{"p": fmt.Sprint(w.IntN(2))}
	}
	if w.one(4) {
		c.RetryOf = w.some()
	}
	return c
}

// claim takes a task where one comes at once.
func (w *worker) claim() {
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Millisecond)
	defer cancel()
	l, err := w.claims.Claim(ctx, executor.Ended{})
	if err != nil {
		return
	}
	w.leases = append(w.leases, l)
	require.NoError(w.t, l.Started(1))
	for range w.IntN(3) {
		require.NoError(w.t, l.Write(schema.Stream(w.IntN(3)), bytes.Repeat([]byte("output\n"), 1+w.IntN(20_000))))
	}
	if w.one(2) {
		require.NoError(w.t, l.Progress(schema.Progress{Value: 1, Total: 3, Unit: "steps", Message: "m"}))
	}
}

func (w *worker) end() {
	if len(w.leases) < 4 { // some run at the end
		return
	}
	l := w.leases[0]
	w.leases = w.leases[1:]
	recorded := make(chan error, 1)
	failure := &schema.TaskError{Kind: schema.KindTaskError, Message: "it failed", ExitCode: new(3)}
	switch w.IntN(4) {
	case 0:
		l.Finish(executor.Outcome{State: schema.Failed, Error: failure}, func(err error) { recorded <- err })
	case 1:
		l.Retry(&executor.NextAttempt{At: schema.Now() + schema.Time(time.Hour.Microseconds()), Error: failure}, func(err error) { recorded <- err })
	default:
		l.Finish(executor.Outcome{State: schema.Completed, Result: fmt.Appendf(nil, `"%s"`, bytes.Repeat([]byte("r"), w.IntN(3)*600))}, func(err error) { recorded <- err })
	}
	<-recorded // where it was cancelled, with an error
	l.Release()
}
