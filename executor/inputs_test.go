package executor_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// readers are types that read what they are sent.
func readers() executor.Options {
	type text struct {
		Text string `json:"text"`
	}
	return executor.Options{Limit: 2, Types: []executor.Type{
		executor.MustDefine("read", func(ctx context.Context, _ empty) (text, error) {
			all, err := io.ReadAll(executor.Inputs(ctx))
			return text{string(all)}, err
		}),
		executor.MustDefine("patient", func(ctx context.Context, _ empty) (text, error) {
			in := executor.Inputs(ctx)
			time.Sleep(time.Second)
			all, err := io.ReadAll(in)
			return text{string(all)}, err
		}),
		executor.MustDefine("late", func(ctx context.Context, _ empty) (text, error) {
			time.Sleep(time.Hour)
			in := executor.Inputs(ctx)
			_, err := in.Read(make([]byte, 1))
			return text{}, err
		}),
		executor.MustDefine("slow", func(ctx context.Context, _ empty) (text, error) {
			time.Sleep(time.Second)
			in := executor.Inputs(ctx)
			executor.Started(ctx, 0)
			all, err := io.ReadAll(in)
			return text{string(all)}, err
		}, executor.StartsItself()),
	}}
}

func (r *rig) unreachable(err error, says string) {
	r.Helper()
	var e *executor.UnreachableError
	require.ErrorAs(r, err, &e)
	require.Equal(r, says, e.Why)
}

func TestInputsOfATask(t *testing.T) {
	withRig(t, readers(), func(r *rig) {
		ctx := r.Context()
		id := r.of("read")
		r.inState(id, schema.Running)
		require.NoError(r, r.Input(ctx, id, []byte("one "), false))
		r.task(id)
		require.NoError(r, r.Input(ctx, id, []byte("two "), false))
		require.NoError(r, r.Input(ctx, id, []byte("three"), true))
		require.Equal(r, `{"text":"one two three"}`, string(r.inState(id, schema.Completed).Result))
		r.unreachable(r.Input(ctx, id, nil, true), "the task has ended")
		require.ErrorIs(r, r.Input(ctx, uuid.New(), nil, true), executor.ErrNotFound)

		id = r.of("patient") // it cannot end between two requests
		r.inState(id, schema.Running)
		require.NoError(r, r.Input(ctx, id, []byte("all"), true))
		r.unreachable(r.Input(ctx, id, nil, true), "the input of the task was closed by an earlier request")
		r.pass(time.Second)
		require.Equal(r, `{"text":"all"}`, string(r.inState(id, schema.Completed).Result))

		id = r.of("read")
		r.inState(id, schema.Running)
		r.unreachable(r.Signal(ctx, id, schema.SignalInt), "tasks of this type take no signals")
		r.unreachable(r.Resize(ctx, id, 1, 1), "tasks of this type take no size of a terminal")
		r.cancel(id, executor.Cancellation{Reason: "enough"})
		require.Equal(r, "cancelled: enough", r.inState(id, schema.Cancelled).Error.Message)
	})
}

// TestInputsBeforeTheStart: what comes too early is told to come again.
func TestInputsBeforeTheStart(t *testing.T) {
	withRig(t, readers(), func(r *rig) {
		id := r.of("slow")
		r.inState(id, schema.Running)
		r.unreachable(r.Input(r.Context(), id, nil, true), "the task is about to start")
		r.pass(time.Second)
		require.NoError(r, r.Input(r.Context(), id, []byte("now"), true))
		require.Equal(r, `{"text":"now"}`, string(r.inState(id, schema.Completed).Result))
	})
}

// elsewhere is a store whose tasks run on another machine.
type elsewhere struct{ executor.Store }

func (s elsewhere) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	record, err := s.Store.Get(ctx, id)
	record.State, record.RunsOn = schema.Running, &schema.RunsOn{Executor: "m3/24131", Host: "m3"}
	return record, err
}

// TestInputsOfATaskElsewhere: what cannot come true is not told to come again.
func TestInputsOfATaskElsewhere(t *testing.T) {
	withStore(t, readers(), func() executor.Store { return elsewhere{shared{memory.New(memory.Options{})}} }, func(r *rig) {
		err := r.Input(r.Context(), r.submit(schema.SubmitParams{Type: "read", DelayMs: time.Hour.Milliseconds()}), nil, true)
		require.EqualError(r, err, "the task runs on m3/24131; send it to the server there")
		unreachable, _ := errors.AsType[*executor.UnreachableError](err)
		require.False(r, unreachable.Retryable)
	})
}

// slowGet is a store that takes its time to read a task.
type slowGet struct {
	executor.Store
	takes time.Duration
}

func (s slowGet) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	time.Sleep(s.takes)
	return s.Store.Get(ctx, id)
}

// TestInputsWhileTheTaskBecomesReachable: a task that takes input from when its record
// is read takes that input.
func TestInputsWhileTheTaskBecomesReachable(t *testing.T) {
	open := func() executor.Store { return slowGet{newMemory(), 2 * time.Second} }
	withStore(t, readers(), open, func(r *rig) {
		id := r.of("slow") // takes input after a second
		require.NoError(r, r.Input(r.Context(), id, []byte("now"), true))
		require.Equal(r, `{"text":"now"}`, string(r.inState(id, schema.Completed).Result))
	})
}

// TestInputsAfterTheEndOfTheCode: a task whose output is still read is not told that its
// type takes no input.
func TestInputsAfterTheEndOfTheCode(t *testing.T) {
	says := executor.MustDefine("says", func(ctx context.Context, _ empty) (empty, error) {
		executor.Inputs(ctx)
		executor.Started(ctx, 0)
		_, err := io.WriteString(executor.Output(ctx, schema.Stdout), "done")
		return empty{}, err
	}, executor.StartsItself())
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{says}}, func(r *rig) {
		w, err := r.Watch(r.Context())
		require.NoError(r, err)
		defer w.Close()
		record, err := r.Prepare(&schema.SubmitParams{Type: "says", ID: uuid.New(), Output: schema.OutputLossless, Events: []string{}})
		require.NoError(r, err)
		record.Owner = w.ID()
		reader := r.ReadOutput(w, record.ID)
		_, err = r.Submit(r.Context(), []executor.Submission{record})
		require.NoError(r, err)
		time.Sleep(time.Second)
		r.inState(record.ID, schema.Running)
		r.unreachable(r.Input(r.Context(), record.ID, nil, true), "the task has ended")
		reader.Sent(schema.Stdout, 4)
		r.inState(record.ID, schema.Completed)
		reader.Leave()
	})
}

// TestInputsOfATaskThatWasGivenUp: what is final takes nothing, whatever its code does.
func TestInputsOfATaskThatWasGivenUp(t *testing.T) {
	withRig(t, readers(), func(r *rig) {
		id := r.of("late")
		r.inState(id, schema.Running)
		r.unreachable(r.Input(r.Context(), id, nil, true), "tasks of this type take no input")
		r.cancel(id, executor.Cancellation{Force: true})
		r.inState(id, schema.Cancelled)
		r.pass(2 * time.Hour) // it asks for input, and is told that it was cancelled
		r.unreachable(r.Input(r.Context(), id, nil, true), "the task has ended")
		require.Zero(r, r.stats().Stuck)
	})
}

func TestInputsOutsideATask(t *testing.T) {
	n, err := executor.Inputs(t.Context()).Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("why")
	cancel(cause)
	_, err = executor.NewInputReader(ctx).Read(make([]byte, 1))
	require.ErrorIs(t, err, cause)
}
