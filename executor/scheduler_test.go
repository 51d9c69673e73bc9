package executor_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
)

// slowSchedules is a store that takes its time to record that a due time was decided.
type slowSchedules struct {
	executor.Store
	slow    atomic.Bool
	decided atomic.Int32
	first   chan struct{} // closed when the first one is being recorded
}

func (s *slowSchedules) SetSchedule(ctx context.Context, name string, text []byte) error {
	if s.slow.Load() {
		if s.decided.Add(1) == 1 {
			close(s.first)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return s.Store.SetSchedule(ctx, name, text)
}

// TestManyDueTimesHoldNobodyUp removes a schedule while many others are due. That waits for its
// turn alone.
func TestManyDueTimesHoldNobodyUp(t *testing.T) {
	const many = 200
	store := &slowSchedules{Store: memory.New(memory.Options{}), first: make(chan struct{})}
	r := newRig(t, executor.Options{Limit: 4}, store)
	go func() { r.over <- r.Executor.Run(t.Context()) }()
	for i := range many {
		p := each(time.Second, 0)
		p.Name = fmt.Sprintf("each %03d", i)
		r.schedule(p)
	}
	store.slow.Store(true)
	<-store.first
	existed, err := r.Unschedule(t.Context(), "each 199")
	require.NoError(t, err)
	require.True(t, existed)
	require.Less(t, store.decided.Load(), int32(many/2))
	store.slow.Store(false)
	r.Begin(executor.ShutdownInterrupt)
	<-r.over
	require.NoError(t, store.Close())
}
