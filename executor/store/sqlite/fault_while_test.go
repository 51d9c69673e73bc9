package sqlite

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// TestAMinuteOfFaults has a disk that takes nothing for a minute: what runs goes
// on and can be stopped, nothing new is taken, and when it is over all is
// recorded, by itself.
func TestAMinuteOfFaults(t *testing.T) {
	for _, c := range sweepCases {
		if c.op != faultvfs.Write && c.op != faultvfs.Sync || c.kind != faultvfs.WAL {
			continue
		}
		t.Run(string(c.op)+" "+c.err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: 1})
				x := &session{T: t, vfs: v, ledger: newLedger(), options: Options{Path: filepath.Join(t.TempDir(), "tasks.db"), VFS: v.Name(), companyDelay: -1}}
				x.open()
				x.aMinute(c)
				v.Cut()
				require.Error(t, x.store.Close())
				require.NoError(t, recovered(t, x.options.Path, x.ledger))
			})
		})
	}
}

func (x *session) aMinute(c sweepCase) {
	t, s := x.T, x.store
	var ids []uuid.UUID
	for _, typ := range []byte{once, again, again, once} {
		ids = append(ids, x.submit(typ))
	}
	first, second := x.claim(), x.claim()
	told := make(chan error, 1)
	second.OnRevoke(func(cause error) { told <- cause })
	require.NoError(t, first.Started(1))
	synctest.Wait() // their starts are recorded

	x.vfs.Fail(c.op, c.kind, c.err)
	refused := idOf(once)
	for range 3 {
		_, err := s.Submit(t.Context(), []executor.Submission{planned(refused)})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		time.Sleep(time.Second)
	}
	x.ledger.note(fact{what: factRefused, id: refused})
	require.NotEmpty(t, s.Info().Fault)
	waiting, err := s.Get(t.Context(), ids[2])
	require.NoError(t, err)
	require.Equal(t, schema.Queued, waiting.State)
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.TaskCounts{Queued: 2, Running: 2}, counts.TaskCounts)

	require.NoError(t, first.Progress(schema.Progress{Value: 2}))
	require.NoError(t, first.Write(schema.Stdout, []byte{}))
	running, err := s.Get(t.Context(), ids[0])
	require.NoError(t, err)
	require.InDelta(t, 2, running.Progress.Value, 0, "what runs is heard of")

	answers, err := s.Cancel(t.Context(), []uuid.UUID{ids[1], ids[3]}, executor.Cancellation{})
	require.NoError(t, err)
	require.Equal(t, schema.OutcomeCancelling, answers[0].Outcome)
	require.Error(t, <-told)
	require.ErrorIs(t, answers[1].Err, executor.ErrStoreUnavailable, "a task that waits cannot be ended")

	x.endsLater(ids, refused, first, second)
}

// endsLater ends what runs while the disk takes nothing, and then heals it.
func (x *session) endsLater(ids []uuid.UUID, refused uuid.UUID, first, second executor.Lease) {
	t, s := x.T, x.store
	recorded := make(chan uuid.UUID, 2)
	end := func(l executor.Lease, o executor.Outcome) {
		id := l.Record().ID
		l.Finish(o, func(err error) {
			require.NoError(t, err)
			x.ledger.note(fact{what: factFinal, id: id, text: o.State.String()})
			recorded <- id
		})
		l.Release()
	}
	end(first, outcomeOf(ids[0]))
	end(second, (&executor.Cancellation{}).Outcome())
	claimed := make(chan executor.Lease, 1)
	go func() {
		if l, err := claimAny(t.Context(), s); err == nil {
			claimed <- l
		}
	}()
	time.Sleep(time.Minute)
	require.Empty(t, recorded)
	require.Empty(t, claimed)

	x.vfs.Heal()
	time.Sleep(2 * retryMost)
	require.Len(t, recorded, 2)
	require.Empty(t, s.Info().Fault)
	l := <-claimed
	require.Equal(t, ids[2], l.Record().ID)
	x.ledger.note(fact{what: factBegun, id: ids[2]})
	x.finish(l)
	l = x.claim()
	require.Equal(t, ids[3], l.Record().ID, "what was refused does not run")
	x.finish(l)
	_, err := s.Get(t.Context(), refused)
	require.ErrorIs(t, err, executor.ErrNotFound)
}
