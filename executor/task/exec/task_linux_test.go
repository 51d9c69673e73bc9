package exec

import (
	"context"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// rig is an executor that offers exec.
type rig struct {
	*executor.Executor
	t *testing.T
}

func newRig(t *testing.T, limit int) *rig {
	typ, err := newCommand(t, Options{}).Type()
	require.NoError(t, err)
	store := memory.New(memory.Options{})
	e, err := executor.New(store, executor.Options{Types: []executor.Type{typ}, Limit: limit, Grace: -1})
	require.NoError(t, err)
	over := make(chan error, 1)
	go func() { over <- e.Run(context.Background()) }()
	t.Cleanup(func() {
		e.Begin(schema.ShutdownCancel)
		require.NoError(t, <-over)
		require.NoError(t, store.Close())
	})
	return &rig{e, t}
}

// submit submits an exec task; a graceMs below 0 leaves it to the executor.
func (r *rig) submit(in Input, timeoutMs, graceMs int64) uuid.UUID {
	input, err := json.Marshal(in)
	require.NoError(r.t, err)
	p := &schema.SubmitParams{Type: TypeName, Input: input, TimeoutMs: timeoutMs}
	if graceMs >= 0 {
		p.GraceMs = &graceMs
	}
	record, err := r.Prepare(p)
	require.NoError(r.t, err)
	_, err = r.Submit(context.Background(), []executor.Submission{record})
	require.NoError(r.t, err)
	return record.ID
}

// end waits for the end of all tasks, and answers one.
func (r *rig) end(id uuid.UUID) schema.Task {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := r.Shutdown(ctx, schema.ShutdownDrain, 0)
	require.NoError(r.t, err)
	task, err := r.Status(context.Background(), id)
	require.NoError(r.t, err)
	return task
}

func TestTaskCompletes(t *testing.T) {
	r := newRig(t, 2)
	id := r.submit(self("print", "1000"), 0, -1)
	task := r.end(id)
	require.Equal(t, schema.Completed, task.State, "%+v", task.Error)
	var result Result
	require.NoError(t, json.Unmarshal(task.Result, &result))
	require.NotZero(t, result.PID)
	require.EqualValues(t, 1000, task.OutputBytes.Stdout)
	require.EqualValues(t, 1000, task.OutputBytes.Stderr)
}

func TestTaskFails(t *testing.T) {
	r := newRig(t, 2)
	exits, missing := r.submit(self("exit", "7"), 0, -1), r.submit(Input{Argv: []string{"/nonexistent"}}, 0, -1)
	task := r.end(exits)
	require.Equal(t, schema.Failed, task.State)
	require.Equal(t, schema.KindExit, task.Error.Kind)
	require.Equal(t, 7, *task.Error.ExitCode)
	task = r.end(missing)
	require.Equal(t, schema.KindSpawn, task.Error.Kind)
	require.Equal(t, "ENOENT", task.Error.Errno)
}

func TestTaskInput(t *testing.T) {
	r := newRig(t, 2)
	for input, ok := range map[string]bool{
		`{"argv":["true"],"env":{"A":null,"B":"x"},"cleanEnv":true,"dir":"/","stdin":"x"}`: true,
		`{}`: false, `{"argv":[]}`: false, `{"argv":["true"],"env":{"A":1}}`: false, `{"argv":"true"}`: false,
	} {
		_, err := r.Prepare(&schema.SubmitParams{Type: TypeName, Input: []byte(input)})
		require.Equal(t, ok, err == nil, "%s: %v", input, err)
	}
}

func TestTaskIsStopped(t *testing.T) {
	cancel := func(r *rig, id uuid.UUID) {
		_, _, err := r.Cancel(context.Background(), id, executor.Cancellation{Reason: "enough"})
		require.NoError(r.t, err)
	}
	tests := map[string]struct {
		timeoutMs, graceMs int64
		stop               func(r *rig, id uuid.UUID)
		state              schema.State
		kind               schema.ErrorKind
	}{
		"cancelled":        {0, 1, cancel, schema.Cancelled, schema.KindCancelled},
		"no grace":         {0, 0, cancel, schema.Cancelled, schema.KindCancelled},
		"no time for it":   {0, -1, cancel, schema.Cancelled, schema.KindCancelled},
		"timeout":          {2000, 1, func(*rig, uuid.UUID) {}, schema.Failed, schema.KindTimeout},
		"shutdown":         {0, 60_000, func(r *rig, _ uuid.UUID) { r.Begin(schema.ShutdownCancel); r.Hasten(0) }, schema.Cancelled, schema.KindCancelled},
		"cancel and force": {0, 60_000, func(r *rig, id uuid.UUID) { cancel(r, id); force(r, id) }, schema.Cancelled, schema.KindCancelled},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r, f := newRig(t, 2), newFIFO(t)
			id := r.submit(self("tree", f.path), test.timeoutMs, test.graceMs)
			f.holders(t, treeSize)
			test.stop(r, id)
			task := r.end(id)
			f.requireFree(t)
			require.Equal(t, test.state, task.State)
			require.Equal(t, test.kind, task.Error.Kind)
			require.Equal(t, "SIGKILL", task.Error.Signal)
			require.True(t, task.Error.Forced)
		})
	}
}

func force(r *rig, id uuid.UUID) {
	_, _, err := r.Cancel(context.Background(), id, executor.Cancellation{Force: true})
	require.NoError(r.t, err)
}

// TestTasksStopTogether: 10 trees at once, each of its own.
func TestTasksStopTogether(t *testing.T) {
	const trees = 10
	r, f := newRig(t, trees), newFIFO(t)
	var ids []uuid.UUID
	for range trees {
		ids = append(ids, r.submit(self("tree", f.path), 0, 0))
	}
	f.holders(t, treeSize*trees)
	for _, id := range ids {
		_, _, err := r.Cancel(context.Background(), id, executor.Cancellation{})
		require.NoError(t, err)
	}
	for _, id := range ids {
		task := r.end(id)
		require.Equal(t, schema.Cancelled, task.State)
		require.False(t, task.Error.Leaked)
	}
	f.requireFree(t)
	require.False(t, zombies())
}
