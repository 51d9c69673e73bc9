package executor_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// countedSchedules is a store that counts what it records of schedules.
type countedSchedules struct {
	executor.Store
	submits, records, schedules atomic.Int32
	// recording is called before schedules are recorded.
	recording atomic.Pointer[func()]
}

func (s *countedSchedules) Submit(ctx context.Context, submissions []executor.Submission) ([]executor.Submitted, error) {
	s.submits.Add(1)
	return s.Store.Submit(ctx, submissions)
}

func (s *countedSchedules) SetSchedules(ctx context.Context, changed ...executor.ScheduleText) error {
	if f := s.recording.Load(); f != nil {
		(*f)()
	}
	s.records.Add(1)
	s.schedules.Add(int32(len(changed)))
	return s.Store.SetSchedules(ctx, changed...)
}

// manyDue is a store with as many schedules as there may be, each of which is due.
func manyDue(t *testing.T) *countedSchedules {
	store := &countedSchedules{Store: memory.New(memory.Options{})}
	for i := range executor.MaxSchedules {
		name := fmt.Sprintf("each %03d", i)
		text := fmt.Sprintf(`{"name":%q,"everyMs":3600000,"missed":"one","submit":{"type":"nap","input":{"ms":1}},"since":"2000-01-01T00:00:00Z","decided":%q}`, name, schema.Now()-3_601_000_000)
		require.NoError(t, store.Store.SetSchedules(t.Context(), executor.ScheduleText{Name: name, Text: []byte(text)}))
	}
	return store
}

// TestManyDueTimesAreFewCommits has tasks of many schedules that are due together.
func TestManyDueTimesAreFewCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Hour)
		store := manyDue(t)
		r := &restarted{t: t, store: store}
		r.begin()
		r.pass(time.Second)
		require.Len(t, r.tasksOf("each 000"), 1)
		require.Len(t, r.tasksOf("each 999"), 1)
		counts, err := store.Counts(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(executor.MaxSchedules), counts.Completed)
		require.Equal(t, [...]int32{4, 4, executor.MaxSchedules}, [...]int32{store.submits.Load(), store.records.Load(), store.schedules.Load()})
		r.end()
		require.NoError(t, store.Close())
	})
}

// TestManyDueTimesHoldNobodyUp removes a schedule while many others are due. That waits for one
// round alone.
func TestManyDueTimesHoldNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Hour)
		store := manyDue(t)
		r := newRig(t, executor.Options{Limit: 4}, store)
		var first sync.Once
		removed := make(chan error, 1)
		var recorded []int32 // how many schedules were decided, at each record
		recording := func() {
			recorded = append(recorded, store.schedules.Load())
			first.Do(func() { // the scheduler has the lock
				go func() {
					_, err := r.Unschedule(context.WithoutCancel(t.Context()), "each 999")
					removed <- err
				}()
				synctest.Wait() // until the call waits for the lock
			})
		}
		store.recording.Store(&recording)
		go func() { r.over <- r.Executor.Run(t.Context()) }()
		require.NoError(t, <-removed)
		synctest.Wait()
		require.Equal(t, []int32{0, 250, 251, 501, 751}, recorded, "the second one removes the schedule")
		r.Begin(executor.ShutdownInterrupt)
		require.NoError(t, <-r.over)
		require.NoError(t, store.Close())
	})
}
