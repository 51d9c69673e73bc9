package cmd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

func TestTheNewestRunOfALabel(t *testing.T) {
	const never = -1
	begin := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) schema.Time { return schema.TimeOf(begin.Add(time.Duration(seconds) * time.Second)) }
	for name, c := range map[string]struct {
		tasks [][2]int // when each was submitted and has ended, in seconds
		older int
	}{
		"none":                           {nil, 0},
		"one":                            {[][2]int{{0, 1}}, 0},
		"within a minute":                {[][2]int{{0, 1}, {61, 62}}, 0},
		"after more than a minute":       {[][2]int{{0, 1}, {62, 63}}, 1},
		"three runs":                     {[][2]int{{0, 1}, {2, 3}, {100, 101}, {102, 103}, {300, 301}, {301, never}}, 4},
		"one of them runs for long":      {[][2]int{{0, 500}, {2, 3}, {400, 401}}, 0},
		"the long one has ended, too":    {[][2]int{{0, 500}, {2, 3}, {561, 600}, {700, 701}}, 3},
		"one has never ended":            {[][2]int{{0, never}, {2, 3}, {400, 401}}, 0},
		"one has not ended of a new run": {[][2]int{{0, 1}, {200, never}, {201, 202}, {900, 901}}, 1},
	} {
		tasks := make([]schema.Task, len(c.tasks))
		for i, times := range c.tasks {
			tasks[i] = schema.Task{State: schema.Running, CreatedAt: at(times[0])}
			if times[1] != never {
				tasks[i].State, tasks[i].FinishedAt = schema.Failed, at(times[1])
			}
		}
		older, newest := newestRun(tasks)
		require.Len(t, older, c.older, name)
		require.Len(t, newest, len(tasks)-c.older, name)
	}
}

func TestOfATaskThatWasSubmittedAgainTheNewOneCounts(t *testing.T) {
	at := func(minutes int) schema.Time {
		return schema.TimeOf(time.Date(2026, 1, 31, 12, minutes, 0, 0, time.UTC))
	}
	task := func(minute int, state schema.State, of uuid.UUID) schema.Task {
		t := schema.Task{ID: uuid.New(), State: state, CreatedAt: at(minute), Conditions: &schema.Conditions{RetryOf: of}}
		if state.Final() {
			t.FinishedAt = at(minute)
		}
		return t
	}
	none := uuid.Nil
	old, failed, other := task(0, schema.Failed, none), task(10, schema.Failed, none), task(10, schema.Failed, none)
	again := task(30, schema.Failed, failed.ID)
	third := task(40, schema.Running, again.ID)
	for _, c := range []struct{ tasks, older, newest []schema.Task }{
		{[]schema.Task{old, failed, other}, []schema.Task{old}, []schema.Task{failed, other}},
		{[]schema.Task{old, failed, other, again}, []schema.Task{old}, []schema.Task{again, other}},
		{[]schema.Task{old, failed, other, again, third}, []schema.Task{old}, []schema.Task{third, other}},
		{[]schema.Task{other, again, third}, []schema.Task{other}, []schema.Task{third}}, // the first is no longer kept
	} {
		older, newest := newestRun(c.tasks)
		require.Equal(t, c.older, older)
		require.Equal(t, c.newest, newest)
	}
}

// A task that failed yesterday does not fail what comes after its label today.
func TestAfterALabelIsAfterItsNewestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		works := true
		step := executor.MustDefine("step", func(context.Context, none) (none, error) {
			if !works {
				return none{}, errors.New("it does not compile")
			}
			return none{}, nil
		})
		c := rpctest.New(t, step)
		build := map[string]string{"build": "7"}
		submit := func() schema.Task {
			s, err := c.Submit(t.Context(), schema.SubmitParams{Type: "step", Labels: build})
			require.NoError(t, err)
			synctest.Wait()
			return s.Task
		}
		works = false
		yesterday := submit()
		time.Sleep(24 * time.Hour)
		works = true
		first, second := submit(), submit()
		p := Program{Name: "jobline"}
		d := p.driver()
		var o conditionFlags
		o.flags(&cobra.Command{Use: "submit"}, &d)
		o.after = []string{"build=7"}
		after, err := o.dependencies(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, []schema.Dependency{{ID: first.ID}, {ID: second.ID}}, after)

		o.after = []string{yesterday.ID.String()} // by its id it is meant all the same
		after, err = o.dependencies(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, []schema.Dependency{{ID: yesterday.ID}}, after)
	})
}
