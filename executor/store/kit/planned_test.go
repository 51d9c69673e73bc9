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
		synctest.Wait()
		require.Equal(t, tasks, ready)
		require.Equal(t, 1, calls)
		mu.Lock()
		p.Submit(&plan.Task{ID: uuid.UUID{2}, Order: tasks, Conditions: &schema.Conditions{RunAt: schema.Now() + 1}}, schema.Now(), nil)
		p.Settle(schema.Now())
		mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 2, calls)
	})
}

// A look for a task stops where very many have expired, and those that look are called again.
func TestALookPassesFewTasksThatHaveExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var p kit.Planned
		ended, woken := 0, 0
		pass := func() {
			for more := true; more; {
				mu.Lock()
				more = p.Advance(schema.Now())
				mu.Unlock()
			}
		}
		p = kit.NewPlanned(nil, func(n int) { woken++ }, func(plan.Ending) { ended++ }, pass)
		const tasks = 10_000
		at := schema.Now() + 1_000_000
		mu.Lock()
		for i := range tasks {
			c := &schema.Conditions{ExpiresAt: at}
			if i == tasks-1 {
				c.ExpiresAt = 0
			}
			p.Submit(&plan.Task{ID: uuid.UUID{1, byte(i), byte(i >> 8)}, Order: uint64(i), Conditions: c}, schema.Now(), nil)
		}
		p.Settle(schema.Now())
		time.Sleep(time.Second) // pass waits for the lock
		every := plan.Taker{Types: func(string) bool { return true }}
		woken = 0
		require.Nil(t, p.Peek(every, schema.Now()))
		require.Less(t, ended, tasks/10)
		mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, tasks-1, ended)
		require.NotZero(t, woken)
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, uint64(tasks-1), p.Peek(every, schema.Now()).Order)
	})
}
