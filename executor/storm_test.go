package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// stormer is one of many who use an executor at once.
type stormer struct {
	*executor.Executor
	rng     *rand.Rand
	watcher executor.Watcher
	ids     []uuid.UUID // of the tasks that were accepted from it
	ends    map[uuid.UUID]schema.State
	seen    map[uuid.UUID]schema.State // final states that status has answered
}

// TestStorm lets eight users submit, cancel, wait, ask and shut down at once.
// Every request is answered, and every accepted task has one end that every
// later answer repeats.
func TestStorm(t *testing.T) {
	const rounds, users, steps = 20, 8, 80 // 12,800 requests
	for round := range rounds {
		e, err := executor.New(memory.New(memory.Options{}), executor.Options{Limit: 4, Grace: time.Millisecond, Types: testTypes()})
		require.NoError(t, err)
		over := make(chan error, 1)
		go func() { over <- e.Run(t.Context()) }()
		stormers := make([]*stormer, users)
		errs := make([]error, users)
		var all sync.WaitGroup
		for i := range stormers {
			w, err := e.Watch(t.Context())
			require.NoError(t, err)
			s := &stormer{
				Executor: e, watcher: w, rng: rand.New(rand.NewPCG(uint64(round), uint64(i))),
				ends: map[uuid.UUID]schema.State{}, seen: map[uuid.UUID]schema.State{},
			}
			stormers[i] = s
			all.Go(func() { errs[i] = s.storm(t.Context(), steps, i == 0) })
		}
		all.Wait()
		require.NoError(t, errors.Join(errs...))
		require.NoError(t, <-over)
		checkStorm(t, e, stormers)
	}
}

func checkStorm(t *testing.T, e *executor.Executor, stormers []*stormer) {
	t.Helper()
	accepted := 0
	for _, s := range stormers {
		require.NoError(t, s.wait(t.Context(), s.ids...))
		require.Len(t, s.ends, len(s.ids))
		accepted += len(s.ids)
		for _, id := range s.ids {
			task, err := e.Status(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, task.State, s.ends[id])
			if earlier, ok := s.seen[id]; ok {
				require.Equal(t, earlier, task.State)
			}
		}
	}
	stats, err := e.Stats(t.Context())
	require.NoError(t, err)
	ended := stats.Totals
	require.Equal(t, int64(accepted), ended.Submitted)
	require.Equal(t, int64(accepted), ended.Completed+ended.Failed+ended.Cancelled)
	require.Zero(t, stats.Tasks.Queued+stats.Tasks.Running)
}

// storm makes requests; one of the users shuts down before it is through.
func (s *stormer) storm(ctx context.Context, steps int, last bool) error {
	for n := range steps {
		if last && n == steps*3/4 {
			mode := []schema.ShutdownMode{schema.ShutdownDrain, schema.ShutdownFinish, schema.ShutdownCancel}[s.rng.IntN(3)]
			if _, err := s.Shutdown(ctx, mode, time.Second); err != nil {
				return err
			}
		}
		var err error
		switch s.rng.IntN(5) {
		case 0, 1:
			err = s.submitOne(ctx)
		case 2:
			_, _, err = s.Cancel(ctx, s.any(), executor.Cancellation{Force: s.rng.IntN(2) == 0})
		case 3:
			err = s.ask(ctx)
		default:
			if len(s.ids) > 0 {
				err = s.wait(ctx, s.any())
			}
		}
		if err != nil && !errors.Is(err, executor.ErrNotFound) {
			return err
		}
	}
	return nil
}

// any is the id of a task of one's own, or an unknown one.
func (s *stormer) any() uuid.UUID {
	if len(s.ids) == 0 {
		return uuid.New()
	}
	return s.ids[s.rng.IntN(len(s.ids))]
}

func (s *stormer) submitOne(ctx context.Context) error {
	p := schema.SubmitParams{Type: []string{"nap", "deaf", "fail"}[s.rng.IntN(3)], Priority: new(s.rng.IntN(201) - 100)}
	if p.Type != "fail" {
		p.Input = []byte(fmt.Sprintf(`{"ms":%d}`, s.rng.IntN(2)))
	}
	record, err := s.Prepare(&p)
	if err != nil {
		return err
	}
	record.Owner = s.watcher.ID()
	answers, err := s.Submit(ctx, []executor.Submission{record})
	if errors.Is(err, executor.ErrShuttingDown) {
		return nil
	}
	if err != nil {
		return err
	}
	s.ids = append(s.ids, record.ID)
	return answers[0].Err
}

// ask notes a final state, which must never be another again.
func (s *stormer) ask(ctx context.Context) error {
	task, err := s.Status(ctx, s.any())
	if err != nil || !task.State.Final() {
		return err
	}
	if earlier, ok := s.seen[task.ID]; ok && earlier != task.State {
		return fmt.Errorf("%v was %v and is %v", task.ID, earlier, task.State)
	}
	s.seen[task.ID] = task.State
	return nil
}

// wait reads events until all the tasks have ended.
func (s *stormer) wait(ctx context.Context, ids ...uuid.UUID) error {
	for _, id := range ids {
		for {
			if _, ok := s.ends[id]; ok {
				break
			}
			events, err := s.watcher.Next(ctx)
			if err != nil {
				return err
			}
			for _, ev := range events {
				if _, ended := s.ends[ev.ID]; ended {
					return fmt.Errorf("%v has an event after its end", ev.ID)
				}
				if ev.Kind == executor.EventFinished {
					s.ends[ev.ID] = ev.Task.State
				}
			}
		}
	}
	return nil
}
