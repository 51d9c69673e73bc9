package builtin_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

func connect(t *testing.T) *client.Client {
	t.Helper()
	types, err := builtin.Types()
	require.NoError(t, err)
	return rpctest.New(t, types...)
}

// ran runs a task to its end and answers it with its progress.
func ran(t *testing.T, c *client.Client, name, input string) (schema.Task, []schema.Progress) {
	t.Helper()
	_, err := c.Submit(t.Context(), schema.SubmitParams{Type: name, Input: jsontext.Value(input)})
	require.NoError(t, err)
	var seen []schema.Progress
	for ev := range c.Events(t.Context()) {
		switch {
		case ev.Progress != nil:
			seen = append(seen, ev.Progress.Progress)
		case ev.Finished != nil:
			return ev.Finished.Task, seen
		}
	}
	require.Fail(t, "the task has not ended")
	return schema.Task{}, nil
}

func TestTasks(t *testing.T) {
	for _, c := range []struct {
		name, input, result string
		takes               time.Duration
		last                *schema.Progress
	}{
		{"noop", `{}`, `{}`, 0, nil},
		{"sleep", `{"durationMs":3600000}`, `{"sleptMs":3600000}`, time.Hour, nil},
		{"sleep", `{"durationMs":0}`, `{"sleptMs":0}`, 0, nil},
		{"sleep", `{"durationMs":1000,"progressEveryMs":300}`, `{"sleptMs":1000}`, time.Second,
			&schema.Progress{Value: 1000, Total: 1000, Unit: "ms"}},
		{"bubbleBathOptimization", `{"durationMs":500}`, `{"bubblesPerLitre":1500}`, 500 * time.Millisecond,
			&schema.Progress{Value: 500, Total: 500, Unit: "ms", Message: "counting bubbles"}},
		{"squirrelPatrol", `{"durationMs":500}`, `{"squirrelsSeen":5}`, 500 * time.Millisecond,
			&schema.Progress{Value: 500, Total: 500, Unit: "ms", Message: "watching the trees"}},
		{"unicornWrangling", `{"durationMs":502}`, `{"steps":["find","approach","befriend","lead home"]}`, 502 * time.Millisecond,
			&schema.Progress{Value: 4, Total: 4, Unit: "steps"}},
		{"unicornWrangling", `{}`, `{"steps":["find","approach","befriend","lead home"]}`, 0,
			&schema.Progress{Value: 4, Total: 4, Unit: "steps"}},
	} {
		t.Run(c.name+c.input, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := connect(t)
				began := time.Now()
				task, seen := ran(t, client, c.name, c.input)
				require.Equal(t, schema.Completed, task.State, "%+v", task.Error)
				require.Equal(t, c.name, task.Type)
				require.Equal(t, c.result, string(task.Result))
				require.Equal(t, c.takes, time.Since(began))
				if c.last == nil {
					require.Empty(t, seen)
					return
				}
				require.Equal(t, *c.last, seen[len(seen)-1])
			})
		})
	}
}

func TestProgressComesAsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, seen := ran(t, connect(t), "sleep", `{"durationMs":1000,"progressEveryMs":300}`)
		var values []float64
		for _, p := range seen {
			values = append(values, p.Value)
		}
		require.Equal(t, []float64{0, 300, 600, 900, 1000}, values)
	})
}

func TestUnicornsComeInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, seen := ran(t, connect(t), "uw", `{"durationMs":4000}`)
		var steps []string
		for _, p := range seen {
			steps = append(steps, p.Message)
		}
		require.Equal(t, []string{"find", "approach", "befriend", "lead home", ""}, steps)
	})
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, input, message string
		takes                time.Duration
	}{
		{"fail", `{}`, "failed as asked", 0},
		{"fail", `{"message":"no","afterMs":2000}`, "no", 2 * time.Second},
	} {
		t.Run(c.name+c.input, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := connect(t)
				began := time.Now()
				task, _ := ran(t, client, c.name, c.input)
				require.Equal(t, schema.Failed, task.State)
				require.Equal(t, schema.KindTaskError, task.Error.Kind)
				require.Equal(t, c.message, task.Error.Message)
				require.Equal(t, c.takes, time.Since(began))
			})
		})
	}
}

func TestCancelEndsEveryTaskAtOnce(t *testing.T) {
	for name, input := range map[string]string{
		"sleep": `{"durationMs":86400000}`, "fail": `{"afterMs":86400000}`, "bbo": `{"durationMs":86400000}`,
		"bubble": `{"durationMs":86400000}`, "sp": `{"durationMs":86400000}`, "unicorn": `{"durationMs":86400000}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := connect(t)
				submitted, err := client.Submit(t.Context(), schema.SubmitParams{Type: name, Input: jsontext.Value(input)})
				require.NoError(t, err)
				time.Sleep(time.Minute)
				synctest.Wait()
				began := time.Now()
				_, err = client.Cancel(t.Context(), schema.CancelParams{ID: submitted.ID})
				require.NoError(t, err)
				task, err := client.WaitFor(t.Context(), submitted.ID)
				require.NoError(t, err)
				require.Equal(t, schema.Cancelled, task.State)
				require.False(t, task.Error.Forced, "it heeds its context")
				require.Zero(t, time.Since(began))
			})
		})
	}
}

func TestInputIsChecked(t *testing.T) {
	for name, input := range map[string]string{
		"noop": `{"x":1}`, "sleep": `{}`, "fail": `{"message":1}`, "sp": `{"durationMs":"1"}`, "uw": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := connect(t).Submit(t.Context(), schema.SubmitParams{Type: name, Input: jsontext.Value(input)})
				var refused *wire.Error
				require.ErrorAs(t, err, &refused)
				require.Equal(t, schema.CodeInvalidParams, refused.Code)
				require.Len(t, refused.Data.Violations, 1)
			})
		})
	}
}

func TestEveryTypeIsDescribed(t *testing.T) {
	types, err := builtin.Types()
	require.NoError(t, err)
	var names []string
	for _, typ := range types {
		info := typ.Info()
		names = append(append(names, info.Name), info.Aliases...)
		require.Equal(t, "builtin", info.Source)
		require.NotEmpty(t, info.Description)
	}
	require.ElementsMatch(t, []string{
		"noop", "sleep", "fail", "bubbleBathOptimization", "bbo", "bubble",
		"squirrelPatrol", "sp", "squirrel", "unicornWrangling", "uw", "unicorn",
	}, names)
}

// Times out of bounds never become tasks.
func TestTimesOutOfBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := connect(t)
		for _, c := range []struct{ name, input, message string }{
			{"sleep", `{"durationMs":-1}`, "input at /durationMs: got -1, want at least 0"},
			{"sleep", `{"durationMs":604800001}`, "input at /durationMs: got 604800001, want at most 604800000"},
			{"sleep", `{"durationMs":1,"progressEveryMs":-1}`, "input at /progressEveryMs: got -1, want at least 0"},
			{"fail", `{"afterMs":-1}`, "input at /afterMs: got -1, want at least 0"},
			{"squirrel", `{"durationMs":-5}`, "input at /durationMs: got -5, want at least 0"},
		} {
			_, err := client.Submit(t.Context(), schema.SubmitParams{Type: c.name, Input: []byte(c.input)})
			require.ErrorContains(t, err, c.message)
		}
	})
}
