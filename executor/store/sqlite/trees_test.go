package sqlite

import (
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/schema"
)

// TestWhatIsBelowACancelledTaskIsCancelledAfterAKill has a store that is killed when the cancel of a
// task is recorded, and no cancel of what is below it is. The next process goes on.
func TestWhatIsBelowACancelledTaskIsCancelledAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		runs := claim(t, s).Record()
		waits, other := newTask(), newTask()
		submit(t, s, waits, other)
		var below []executor.Submission
		for _, parent := range []uuid.UUID{waits.ID, runs.ID} {
			child := newTask(childOf(parent))
			below = append(below, child, newTask(childOf(child.ID)))
		}
		stays := newTask(childOf(other.ID))
		submit(t, s, append(below, stays)...)
		e := &cancellation{cancel: executor.Cancellation{Reason: "no"}, store: s}
		_, err := s.cancelThese(t.Context(), []uuid.UUID{waits.ID, runs.ID}, e)
		require.NoError(t, err)
		o := s.options
		require.NoError(t, s.Close())

		s, err = Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		synctest.Wait()
		for i, task := range below {
			found, err := s.Get(t.Context(), task.ID)
			require.NoError(t, err)
			require.Equal(t, schema.Cancelled, found.State)
			require.Equal(t, "with "+[]uuid.UUID{waits.ID, runs.ID}[i/2].String()+": no", found.CancelReason)
		}
		found, err := s.Get(t.Context(), stays.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, found.State)
	})
}

// TestAChildThatCameWithTheCancelOfItsParentIsCancelled cancels a task when a child of it was
// accepted, and is not recorded yet.
func TestAChildThatCameWithTheCancelOfItsParentIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		defer s.Close()
		parent := newTask()
		submit(t, s, parent)
		child := newTask(childOf(parent.ID))
		s.mu.Lock()
		p := s.live[parent.ID]
		s.mu.Unlock()
		e := &submission{store: s, tasks: []executor.Submission{child}, answers: make([]executor.Submitted, 1), ready: make(chan struct{})}
		e.known, e.fresh = make([]*record, 1), make([]*record, 1)
		s.mu.Lock()
		s.append(&hooked{submission: e, written: func() { // where the committer has written it, and not told
			s.mu.Lock()
			defer s.mu.Unlock()
			st := s.plan(p, new(executor.CancelAnswer), &executor.Cancellation{Reason: "no"})
			s.append(&cancellation{cancel: executor.Cancellation{Reason: "no"}, store: s, steps: []step{st}, ready: make(chan struct{})})
		}})
		s.mu.Unlock()
		<-e.ready
		synctest.Wait()
		require.NoError(t, e.answers[0].Err)
		found, err := s.Get(t.Context(), child.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, found.State)
		require.Equal(t, "with "+parent.ID.String()+": no", found.CancelReason)
	})
}

// hooked is a submission after whose write a function is called.
type hooked struct {
	*submission
	written func()
}

func (h *hooked) write(t *transaction) error {
	err := h.submission.write(t)
	h.written()
	return err
}

// childOf is an option of newTask.
func childOf(parent uuid.UUID) func(*executor.Submission) {
	return func(s *executor.Submission) { s.Conditions = &schema.Conditions{Parent: parent} }
}

// TestAChildThatCameWithTheEndOfItsParentLeavesNothing has a child that is recorded in the transaction
// in which its parent ends, before it.
func TestAChildThatCameWithTheEndOfItsParentLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{}, func(o *Options) { o.Keep = -1 })
		parent := claim(t, s)
		open, stalled := make(chan struct{}), false
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync && kind == faultvfs.WAL && !stalled {
				stalled = true
				<-open
			}
		})
		go submit(t, s, newTask()) // the next changes gather behind it
		synctest.Wait()
		parent.Finish(completed, func(error) {})
		parent.Release()
		child := newTask(childOf(parent.Record().ID))
		go submit(t, s, child)
		synctest.Wait()
		close(open)
		synctest.Wait()
		for range 2 {
			runOne(t, s, completed)
		}
		_, err := s.Counts(t.Context()) // nothing is kept
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, s.trees.Parents())
	})
}

// BenchmarkCancelTree cancels trees of tasks.
func BenchmarkCancelTree(b *testing.B) {
	for _, tasks := range []int{10_000, 100_000} {
		b.Run(strconv.Itoa(tasks), func(b *testing.B) {
			storetest.CancelTree(b, func(b *testing.B) executor.Store {
				s, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "jobline.db"), Keep: 200_000})
				require.NoError(b, err)
				return s
			}, tasks)
		})
	}
}
