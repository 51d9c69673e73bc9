package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// patience is how long a session waits for a store in which calls fail, before
// it ends the faults.
const patience = 3 * time.Second

// session is a client of a store in which calls fail. It does each step until
// it has succeeded. It runs in a bubble of synctest.
type session struct {
	*testing.T
	vfs     *faultvfs.VFS
	options Options
	store   *Store
	ledger  *ledger
	evict   bool
}

// story has something of everything.
func (x *session) story() {
	x.open()
	x.submit(once)
	x.submit(again)
	x.submit(once)
	first := x.claim()
	require.NoError(x, first.Started(1))
	require.NoError(x, first.Progress(schema.Progress{Value: 1}))
	require.NoError(x, first.Write(schema.Stdout, outputOf(first.Record().ID)))
	x.finish(first)
	second, third := x.claim(), x.claim()
	x.stop(third)
	time.Sleep(2 * flushAfter)
	x.finish(second)
	x.drop(x.submit(once))
	x.submit(again)
	_ = x.store.Close() // what it could not write is as after a crash, and all was recorded
	x.open()
	x.look()
	x.finish(x.claim())
	x.submit(once)
	x.claim()
	x.submit(again)
}

// until does a step until it succeeds, within reason.
func (x *session) until(step func(context.Context) error) {
	x.Helper()
	var err error
	for range 10 {
		ctx, cancel := context.WithTimeout(x.Context(), patience)
		err = step(ctx)
		cancel()
		if err == nil {
			return
		}
		if x.store != nil && !errors.Is(err, context.DeadlineExceeded) {
			require.ErrorIs(x, err, executor.ErrStoreUnavailable)
		}
		x.heal()
	}
	require.NoError(x, err)
}

// heal ends the faults, and gives the store the time to notice.
func (x *session) heal() {
	x.vfs.Heal()
	if x.evict {
		x.vfs.Evict()
	}
	time.Sleep(2 * retryMost)
}

func (x *session) open() {
	x.Helper()
	x.store = nil
	x.until(func(ctx context.Context) error {
		s, err := Open(x.Context(), x.options)
		if err == nil {
			x.store = s
			x.Cleanup(func() { _ = s.Close() }) // where the test has failed, for its bubble to end
		}
		return err
	})
}

// submit records a task. Each try has an id of its own: a refused one must not
// come back.
func (x *session) submit(typ byte) (id uuid.UUID) {
	x.Helper()
	x.until(func(ctx context.Context) error {
		id = idOf(typ)
		answers, err := x.store.Submit(ctx, []executor.Submission{planned(id)})
		if err != nil {
			x.ledger.note(fact{what: factRefused, id: id})
			return err
		}
		require.NoError(x, answers[0].Err)
		x.ledger.note(fact{what: factAcked, id: id})
		return nil
	})
	return id
}

func (x *session) claim() (l executor.Lease) {
	x.Helper()
	x.until(func(ctx context.Context) (err error) {
		l, err = claimAny(ctx, x.store)
		return err
	})
	id := l.Record().ID
	require.False(x, x.ledger.refused[id], "what was refused does not run")
	x.ledger.note(fact{what: factBegun, id: id})
	return l
}

func (x *session) finish(l executor.Lease) { x.finishAs(l, outcomeOf(l.Record().ID)) }

func (x *session) finishAs(l executor.Lease, o executor.Outcome) {
	x.Helper()
	recorded := make(chan error, 1)
	l.Finish(o, func(err error) { recorded <- err })
	l.Release()
	x.until(func(ctx context.Context) error {
		select {
		case err := <-recorded:
			require.NoError(x, err, "the store tries until it is closed")
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	x.ledger.note(fact{what: factFinal, id: l.Record().ID, text: o.State.String()})
}

// stop cancels a task that runs, which works at once whatever fails.
func (x *session) stop(l executor.Lease) {
	x.Helper()
	told := make(chan error, 1)
	l.OnRevoke(func(cause error) { told <- cause })
	answers, err := x.store.Cancel(x.Context(), []uuid.UUID{l.Record().ID}, executor.Cancellation{})
	require.NoError(x, err)
	require.NoError(x, answers[0].Err)
	require.Equal(x, schema.OutcomeCancelling, answers[0].Outcome)
	var c *executor.Cancellation
	require.ErrorAs(x, <-told, &c)
	x.finishAs(l, c.Outcome())
}

// drop cancels a task that waits.
func (x *session) drop(id uuid.UUID) {
	x.Helper()
	x.until(func(ctx context.Context) error {
		answers, err := x.store.Cancel(ctx, []uuid.UUID{id}, executor.Cancellation{})
		if err == nil {
			err = answers[0].Err
		}
		return err
	})
	x.ledger.note(fact{what: factFinal, id: id, text: schema.Cancelled.String()})
}

// look reads everything.
func (x *session) look() {
	x.Helper()
	x.until(func(ctx context.Context) error {
		_, err := everything(ctx, x.store)
		return err
	})
}
