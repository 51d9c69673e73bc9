package executor_test

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// reporter is a type that reports values, each after a pause.
func reporter(pause time.Duration, values ...schema.Progress) executor.Type {
	return coded("report", func(ctx context.Context) error {
		for _, p := range values {
			executor.Report(ctx, p)
			time.Sleep(pause)
		}
		return nil
	})
}

func steps(values ...float64) []schema.Progress {
	var ps []schema.Progress
	for _, v := range values {
		ps = append(ps, schema.Progress{Value: v})
	}
	return ps
}

func TestProgressThatIsSent(t *testing.T) {
	for _, c := range []struct {
		name   string
		pause  time.Duration
		report []schema.Progress
		want   []schema.Progress
	}{
		{"slow ones all", 100 * time.Millisecond, steps(1, 2, 3), steps(1, 2, 3)},
		{"quick ones: the first, then the newest", 30 * time.Millisecond, steps(1, 2, 3, 4, 5, 6, 7, 8), steps(1, 4, 7, 8)},
		{"all at once: the first, and the last at the end", 0, steps(1, 2, 3, 4), steps(1, 4)},
		{"never down", 100 * time.Millisecond, steps(5, 3, 6, -1), steps(5, 5, 6, 6)},
		{"never down, when quick", 0, steps(5, 7, 6), steps(5, 7)},
		{"below zero is allowed", 100 * time.Millisecond, steps(-3, -2), steps(-3, -2)},
		{"what is not a number is none", 100 * time.Millisecond, steps(1, math.NaN(), math.Inf(1), 2), steps(1, 2)},
		{"a total that is not a number is unknown", 0, []schema.Progress{{Value: 1, Total: math.Inf(1)}}, steps(1)},
		{"text is bounded and clean", 0,
			[]schema.Progress{{Unit: strings.Repeat("é", 600), Message: "a\xffb"}},
			[]schema.Progress{{Unit: strings.Repeat("é", 512), Message: "ab"}}},
		{"a cut character is dropped", 0,
			[]schema.Progress{{Unit: "x" + strings.Repeat("é", 600)}},
			[]schema.Progress{{Unit: "x" + strings.Repeat("é", 511)}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, executor.Options{Types: []executor.Type{reporter(c.pause, c.report...)}}, func(r *rig) {
				w := r.watchAll()
				id := r.of("report")
				r.pass(time.Minute)
				var got []schema.Progress
				for _, ev := range r.drain(w) {
					if ev.Kind == executor.EventProgress {
						got = append(got, *ev.Progress)
					}
				}
				require.Equal(r, c.want, got)
				require.Equal(r, c.want[len(c.want)-1], *r.inState(id, schema.Completed).Progress)
			})
		})
	}
}

func TestProgressIsSentWhileTheTaskRuns(t *testing.T) {
	withRig(t, executor.Options{Types: []executor.Type{reporter(time.Millisecond, steps(1, 2, 3)...), coded("then", func(ctx context.Context) error {
		executor.Report(ctx, schema.Progress{Value: 1})
		executor.Report(ctx, schema.Progress{Value: 2})
		time.Sleep(time.Hour)
		return nil
	})}}, func(r *rig) {
		id := r.of("then")
		require.Equal(r, 1.0, r.task(id).Progress.Value)
		r.pass(99 * time.Millisecond)
		require.Equal(r, 1.0, r.task(id).Progress.Value)
		r.pass(time.Millisecond)
		require.Equal(r, 2.0, r.task(id).Progress.Value)
		r.pass(time.Hour)
	})
}

func TestStartedComesFirstWhoeverBegins(t *testing.T) {
	for name, begin := range map[string]func(ctx context.Context){
		"progress": func(ctx context.Context) { executor.Report(ctx, schema.Progress{Value: 1}) },
		"output":   func(ctx context.Context) { _, _ = executor.Output(ctx, schema.Log).Write([]byte("x")) },
		"started":  func(ctx context.Context) { executor.Started(ctx, 7) },
		"many": func(ctx context.Context) {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { executor.Started(ctx, 7) })
				all.Go(func() { executor.Report(ctx, schema.Progress{Value: 1}) })
				all.Go(func() { _, _ = executor.Output(ctx, schema.Log).Write([]byte("x")) })
			}
			all.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			self := coded("self", func(ctx context.Context) error { begin(ctx); return nil }, executor.StartsItself())
			withRig(t, executor.Options{Types: []executor.Type{self}}, func(r *rig) {
				w := r.watchAll()
				r.inState(r.of("self"), schema.Completed)
				events := r.drain(w)
				require.Equal(r, executor.EventStarted, events[0].Kind)
				for _, ev := range events[1:] {
					require.NotEqual(r, executor.EventStarted, ev.Kind, "it starts once")
				}
				if name == "started" {
					require.Equal(r, 7, events[0].PID)
				}
			})
		})
	}
}

func TestTaskThatNeverStartsSaysSo(t *testing.T) {
	self := coded("self", func(context.Context) error { return context.DeadlineExceeded }, executor.StartsItself())
	withRig(t, executor.Options{Types: []executor.Type{self}}, func(r *rig) {
		w := r.watchAll()
		r.inState(r.of("self"), schema.Failed)
		events := r.drain(w)
		require.Len(r, events, 1)
		require.Equal(r, executor.EventFinished, events[0].Kind)
	})
}

func TestOutputOfATask(t *testing.T) {
	var id uuid.UUID
	var attempt int
	var late error
	writes := coded("writes", func(ctx context.Context) error {
		id, attempt = executor.TaskID(ctx), executor.Attempt(ctx)
		n, err := executor.Output(ctx, schema.Stdout).Write([]byte("hello"))
		if n != 5 || err != nil {
			return err
		}
		time.Sleep(time.Minute)
		_, late = executor.Output(ctx, schema.Stdout).Write([]byte("late"))
		return nil
	})
	withRig(t, executor.Options{Types: []executor.Type{writes}}, func(r *rig) {
		task := r.of("writes")
		r.inState(task, schema.Running)
		r.cancel(task, executor.Cancellation{Force: true})
		r.pass(time.Minute)
		require.Equal(r, task, id)
		require.Equal(r, 1, attempt)
		require.ErrorIs(r, late, executor.ErrLeaseLost, "the task was given up")
		p, err := r.Output(r.Context(), task, schema.Stdout, executor.OutputRange{Limit: 100, Tail: -1})
		require.NoError(r, err)
		require.Equal(r, "hello", string(p.Data))
	})
}

func TestTaskFunctionsOutsideATask(t *testing.T) {
	ctx := t.Context()
	require.Equal(t, uuid.Nil, executor.TaskID(ctx))
	require.Zero(t, executor.Attempt(ctx))
	require.Nil(t, executor.Killed(ctx))
	executor.Started(ctx, 1)
	executor.Report(ctx, schema.Progress{Value: 1})
	n, err := executor.Output(ctx, schema.Stdout).Write([]byte("abc"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func TestDefaultEventsMask(t *testing.T) {
	all := []executor.EventKind{executor.EventStarted, executor.EventProgress, executor.EventOutput, executor.EventFinished}
	for _, c := range []struct {
		names []string
		want  []executor.EventKind
	}{
		{nil, []executor.EventKind{executor.EventStarted, executor.EventProgress, executor.EventFinished}},
		{[]string{}, nil},
		{[]string{"output", "output"}, []executor.EventKind{executor.EventOutput}},
		{[]string{"started", "progress", "output", "finished"}, all},
	} {
		mask, err := executor.EventMaskOf(c.names)
		require.NoError(t, err)
		var got []executor.EventKind
		for _, k := range all {
			if mask.Has(k) {
				got = append(got, k)
			}
		}
		require.Equal(t, c.want, got, c.names)
	}
	_, err := executor.EventMaskOf([]string{"started", "stopped"})
	var wrong *executor.InputError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "/events/1", wrong.Violations[0].Pointer)
	require.Contains(t, wrong.Violations[0].Message, "progress")
}
