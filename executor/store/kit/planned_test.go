package kit_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// Of very many tasks that become ready at one moment one call of pass takes care: each further
// one would wait for the lock before the requests of clients.
func TestOneCallTellsThePlannerTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var p kit.Planned
		calls, ready := 0, 0
		advance := func() bool {
			mu.Lock()
			defer mu.Unlock()
			return p.Advance(schema.Now())
		}
		pass := func() {
			calls++
			for advance() {
				time.Sleep(time.Microsecond) // others have the lock
			}
		}
		p = kit.NewPlanned(nil, func(n int) { ready += n }, func(plan.Ending) {}, pass)
		const tasks = 100_000
		due := schema.Now() + 1_000_000
		for i := range tasks {
			mu.Lock()
			p.Submit(&plan.Task{ID: uuid.UUID{1, byte(i), byte(i >> 8), byte(i >> 16)}, Order: uint64(i), Conditions: &schema.Conditions{RunAt: due}}, schema.Now(), nil)
			p.Settle(schema.Now())
			mu.Unlock()
		}
		time.Sleep(time.Minute)
		require.Equal(t, tasks, ready)
		require.Equal(t, 1, calls)
		mu.Lock()
		p.Submit(&plan.Task{ID: uuid.UUID{2}, Order: tasks, Conditions: &schema.Conditions{RunAt: schema.Now() + 1}}, schema.Now(), nil)
		p.Settle(schema.Now())
		mu.Unlock()
		time.Sleep(time.Second)
		require.Equal(t, 2, calls)
	})
}
