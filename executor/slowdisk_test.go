package executor_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// slowDisk is a store in which all that asks the disk waits while the disk
// stalls; there is no error.
type slowDisk struct {
	executor.Store
	mu   sync.Mutex
	busy chan struct{}         // closed when the disk answers again; nil is at once
	late []executor.Submission // of submits that were given up: they are recorded before a cancel
}

func (s *slowDisk) stall() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = make(chan struct{})
}

func (s *slowDisk) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.busy)
	s.busy = nil
}

// wait is for the disk, or for the end of ctx.
func (s *slowDisk) wait(ctx context.Context) error {
	s.mu.Lock()
	busy := s.busy
	s.mu.Unlock()
	if busy == nil {
		return nil
	}
	select {
	case <-busy:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (*slowDisk) Info() executor.StoreInfo {
	return executor.StoreInfo{Name: "slow disk", Durable: true}
}

func (s *slowDisk) Submit(ctx context.Context, records []executor.Submission) ([]executor.Submitted, error) {
	if err := s.wait(ctx); err != nil {
		s.late = records
		return nil, err
	}
	return s.Store.Submit(ctx, records)
}

func (s *slowDisk) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	if _, err := s.Store.Submit(ctx, s.late); err != nil {
		return nil, err
	}
	return s.Store.Cancel(ctx, ids, c)
}

func (s *slowDisk) Counts(ctx context.Context) (executor.Counts, error) {
	if err := s.wait(ctx); err != nil {
		return executor.Counts{}, err
	}
	return s.Store.Counts(ctx)
}

// TestShutdownDoesNotWaitForTheDisk has a submit under way, which is a part of
// the shutdown all the same.
func TestShutdownDoesNotWaitForTheDisk(t *testing.T) {
	for _, c := range []struct {
		name   string
		first  schema.ShutdownMode // a second before, on the same disk
		mode   schema.ShutdownMode
		stall  time.Duration
		told   time.Duration
		ran    schema.State // the task that was running
		queued schema.State // the task of the submit
		reason string
	}{
		{"interrupt", "", executor.ShutdownInterrupt, time.Minute, 0, schema.Failed, schema.Queued, ""},
		{"cancel", "", schema.ShutdownCancel, time.Minute, 100 * time.Millisecond, schema.Cancelled, schema.Cancelled, ""},
		{"cancel on a disk that is slow", "", schema.ShutdownCancel, 50 * time.Millisecond, 50 * time.Millisecond, schema.Cancelled, schema.Cancelled, "shutdown"},
		{"interrupt of a drain", schema.ShutdownDrain, executor.ShutdownInterrupt, time.Minute, 0, schema.Failed, schema.Queued, ""},
		{"cancel of a drain", schema.ShutdownDrain, schema.ShutdownCancel, time.Minute, 100 * time.Millisecond, schema.Cancelled, schema.Cancelled, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := make(chan time.Time, 1)
			runs := coded("runs", func(ctx context.Context) error {
				<-ctx.Done()
				told <- time.Now()
				return context.Cause(ctx)
			})
			open := func() executor.Store { return &slowDisk{Store: memory.New(memory.Options{})} }
			withStore(t, executor.Options{Limit: 1, Types: []executor.Type{runs}}, open, func(r *rig) {
				disk := r.store.(*slowDisk)
				running := r.of("runs")
				r.inState(running, schema.Running)
				record, err := r.Prepare(&schema.SubmitParams{Type: "nap"})
				require.NoError(r, err)
				disk.stall()
				submitted := make(chan error, 2)
				submit := func() {
					_, err := r.Submit(r.Context(), []executor.Submission{record})
					submitted <- err
				}
				go submit()
				synctest.Wait()
				if c.first != "" {
					r.Begin(c.first)
					r.pass(time.Second)
				}
				began := time.Now()
				r.Begin(c.mode)
				require.Zero(r, time.Since(began))
				submit()
				require.ErrorIs(r, <-submitted, executor.ErrShuttingDown)
				r.pass(c.stall)
				if c.told < c.stall {
					require.Len(r, told, 1, "while the disk stalls")
				}
				require.Empty(r, submitted)
				disk.answer()
				require.NoError(r, <-submitted)
				require.Equal(r, c.told, (<-told).Sub(began))
				require.NoError(r, <-r.over)
				r.over <- nil
				require.Equal(r, c.reason, r.inState(running, c.ran).CancelReason)
				r.inState(record.ID, c.queued)
			})
		})
	}
}

// A submit that was given up while the disk stalled is recorded all the same.
func TestShutdownCancelsWhatIsRecordedLate(t *testing.T) {
	open := func() executor.Store { return &slowDisk{Store: memory.New(memory.Options{})} }
	withStore(t, executor.Options{Limit: 1}, open, func(r *rig) {
		disk := r.store.(*slowDisk)
		running := r.submit(nap(time.Hour))
		r.inState(running, schema.Running)
		record, err := r.Prepare(&schema.SubmitParams{Type: "nap"})
		require.NoError(r, err)
		disk.stall()
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		_, err = r.Submit(ctx, []executor.Submission{record})
		require.ErrorIs(r, err, context.DeadlineExceeded)
		end := r.shutdown(schema.ShutdownCancel, 0)
		disk.answer()
		<-end.done
		require.NoError(r, end.err)
		require.Equal(r, schema.ShutdownResult{Cancelled: 2}, end.result)
		r.inState(record.ID, schema.Cancelled)
	})
}
