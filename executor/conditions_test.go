package executor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// withResources has two of gpu and 64 of ram.
func withResources() executor.Store {
	return memory.New(memory.Options{Resources: map[string]int64{"gpu": 2, "ram": 64}})
}

// napIf is a task that sleeps for a second, once its conditions let it.
func napIf(c schema.Conditions) schema.SubmitParams {
	p := nap(time.Second)
	p.Conditions = c
	return p
}

func afterAll(ids ...uuid.UUID) schema.Conditions {
	var c schema.Conditions
	for _, id := range ids {
		c.After = append(c.After, schema.Dependency{ID: id})
	}
	return c
}

// waitsFor are the kinds of what a task waits for, with the first id of each.
func (r *rig) waitsFor(id uuid.UUID) (kinds []string) {
	r.Helper()
	for _, w := range r.task(id).WaitingFor {
		require.NotEmpty(r, w.Message)
		text := string(w.Kind)
		if len(w.IDs) > 0 {
			text += " " + w.IDs[0].String()
		}
		kinds = append(kinds, text)
	}
	return kinds
}

func (r *rig) refused(p schema.SubmitParams) *executor.InputError {
	r.Helper()
	_, err := r.Prepare(&p)
	var refused *executor.InputError
	require.ErrorAs(r, err, &refused)
	return refused
}

func TestNeedsThatAreNeverMetAreRefused(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, withResources, func(r *rig) {
		refused := r.refused(napIf(schema.Conditions{Needs: map[string]int64{"gpu": 3, "tape/1": 1, "ram": 64}}))
		require.Equal(r, []schema.Violation{
			{Pointer: "/needs/gpu", Message: `3 is more than there is of "gpu", which is 2; need less, or start the server with --resource gpu=3`},
			{Pointer: "/needs/tape~11", Message: `there is no resource "tape/1" here; start the server with --resource tape/1=1, or more`},
		}, refused.Violations)
		r.inState(r.submit(napIf(schema.Conditions{Needs: map[string]int64{"gpu": 2, "ram": 64}})), schema.Running)
	})
}

func TestNamesThatNobodyCanReadAreRefused(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, withResources, func(r *rig) {
		for pointer, c := range map[string]schema.Conditions{
			"/key": {Key: "a\nb"}, "/group": {Group: "\x1b[2J"}, "/dedupe/key": {Dedupe: &schema.Dedupe{Key: "\u0085"}},
			"/needs": {Needs: map[string]int64{"": 1}}, "/needs/g\tpu": {Needs: map[string]int64{"g\tpu": 1}},
		} {
			require.Equal(r, pointer, r.refused(napIf(c)).Violations[0].Pointer)
		}
	})
}

func TestConditionsThatMakeNoSenseAreRefused(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		id, now := uuid.New(), schema.Now()
		for pointer, p := range map[string]schema.SubmitParams{
			"/delayMs":   {DelayMs: 1, Conditions: schema.Conditions{RunAt: now + 1}},
			"/expireMs":  {ExpireMs: 1, Conditions: schema.Conditions{ExpiresAt: now + 5000}},
			"/expiresAt": {Conditions: schema.Conditions{RunAt: now + 10, ExpiresAt: now + 10}},
			"/after/0":   {ID: id, Conditions: afterAll(id)},
			"/after/1":   {Conditions: afterAll(id, id)},
			"/after":     {Conditions: afterAll(make([]uuid.UUID, executor.MaxAfter+1)...)},
			"/key":       {Conditions: schema.Conditions{Key: strings.Repeat("k", executor.MaxNameBytes+1)}},
			"/group":     {Conditions: schema.Conditions{Group: "\xff"}},
			"/needs/gpu": {Conditions: schema.Conditions{Needs: map[string]int64{"gpu": 0}}},
		} {
			p.Type = "nap"
			require.Equal(r, pointer, r.refused(p).Violations[0].Pointer, pointer)
		}
		tooEarly := schema.SubmitParams{Type: "nap", DelayMs: 10, ExpireMs: 10}
		require.Equal(r, "/expireMs", r.refused(tooEarly).Violations[0].Pointer)
	})
}

// A submit that is sent again is answered, though its times have passed.
func TestATaskIsSubmittedAgainWhenItHasExpired(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		at := schema.Now() + 1_000_000
		p := napIf(schema.Conditions{RunAt: at, ExpiresAt: at + 1})
		p.ID = uuid.New()
		require.NoError(r, r.Pause(r.Context(), "", true))
		id := r.submit(p)
		time.Sleep(2 * time.Second)
		r.inState(id, schema.Failed)
		again, err := r.Prepare(&p)
		require.NoError(r, err)
		answers, err := r.Submit(r.Context(), []executor.Submission{again})
		require.NoError(r, err)
		require.NoError(r, answers[0].Err)
		require.True(r, answers[0].Existing)
	})
}

func TestTheGroupsWithSettingsAreBounded(t *testing.T) {
	store := memory.New(memory.Options{})
	withStore(t, executor.Options{}, func() executor.Store { return store }, func(r *rig) {
		for i := range executor.MaxGroups {
			require.NoError(r, store.SetGroup(r.Context(), fmt.Sprint("g", i), plan.Settings{Limit: 1}))
		}
		_, err := r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "more", Limit: new(1)})
		require.ErrorContains(r, err, "take back the settings of another")
		_, err = r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "g7", Limit: new(2)})
		require.NoError(r, err)
		_, err = r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "g7", Limit: new(0)})
		require.NoError(r, err)
		_, err = r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "more", Limit: new(1)})
		require.NoError(r, err)
	})
}

func TestStatusSaysWhyATaskWaits(t *testing.T) {
	limited := executor.MustDefine("limited", func(ctx context.Context, _ empty) (empty, error) {
		<-ctx.Done()
		return empty{}, context.Cause(ctx)
	}, executor.Limit(1))
	withStore(t, executor.Options{Limit: 4, Types: []executor.Type{limited}}, withResources, func(r *rig) {
		first := r.of("limited")
		second := r.of("limited")
		require.Equal(r, []string{"slot " + first.String()}, r.waitsFor(second))
		holder := r.submit(napIf(schema.Conditions{Group: "g", Key: "k", Needs: map[string]int64{"gpu": 2}}))
		_, err := r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "g", Limit: new(1)})
		require.NoError(r, err)
		for kind, c := range map[string]schema.Conditions{
			"group " + holder.String():      {Group: "g"},
			"key " + holder.String():        {Key: "k"},
			"resource " + holder.String():   {Needs: map[string]int64{"gpu": 1}},
			"dependency " + holder.String(): afterAll(holder),
			"time":                          {RunAt: schema.Now() + 500_000},
		} {
			require.Equal(r, []string{kind}, r.waitsFor(r.submit(napIf(c))))
		}
		require.NoError(r, r.Pause(r.Context(), "", true))
		require.Equal(r, []string{"paused"}, r.waitsFor(second))
		require.True(r, r.stats().Paused)
		require.NoError(r, r.Pause(r.Context(), "", false))
		others := ofOtherTypes(r, "of an earlier program")
		require.Equal(r, []string{"type"}, r.waitsFor(others[0]))
		r.of("deaf")
		r.submit(nap(time.Hour))
		r.submit(nap(time.Hour))
		require.Equal(r, []string{"slot " + first.String()}, r.waitsFor(r.submit(nap(0))))
	})
}

func TestExplainGoesDownToWhatHoldsAllUp(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, withResources, func(r *rig) {
		running := r.submit(nap(time.Hour))
		r.inState(running, schema.Running)
		queued := r.submit(nap(0))
		keyed := r.submit(napIf(schema.Conditions{Key: "k", After: afterAll(queued).After}))
		last := r.submit(napIf(afterAll(keyed)))
		result, err := r.Explain(r.Context(), last)
		require.NoError(r, err)
		require.False(r, result.Truncated)
		var ids []uuid.UUID
		for _, l := range result.Chain {
			ids = append(ids, l.ID)
			require.Equal(r, "nap", l.Type)
		}
		require.Equal(r, []uuid.UUID{last, keyed, queued, running}, ids)
		require.Equal(r, schema.Running, result.Chain[3].State)
		require.Empty(r, result.Chain[3].WaitingFor)

		for range executor.MaxChain {
			last = r.submit(napIf(afterAll(last)))
		}
		result, err = r.Explain(r.Context(), last)
		require.NoError(r, err)
		require.True(r, result.Truncated)
		require.Len(r, result.Chain, executor.MaxChain)

		result, err = r.Explain(r.Context(), running)
		require.NoError(r, err)
		require.Len(r, result.Chain, 1)
		_, err = r.Explain(r.Context(), uuid.New())
		require.ErrorIs(r, err, executor.ErrNotFound)
	})
}

// A task that failed because of another one says down to the first that failed.
func TestExplainGoesDownToWhatMadeATaskFail(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		first := r.submit(napIf(schema.Conditions{RunAt: schema.TimeOf(time.Now().Add(time.Hour))}))
		second := r.submit(napIf(afterAll(first)))
		third := r.submit(napIf(afterAll(second)))
		_, _, err := r.Cancel(r.Context(), first, executor.Cancellation{})
		require.NoError(r, err)
		r.inState(third, schema.Failed)
		result, err := r.Explain(r.Context(), third)
		require.NoError(r, err)
		require.Len(r, result.Chain, 3)
		for i, want := range []uuid.UUID{third, second, first} {
			require.Equal(r, want, result.Chain[i].ID)
		}
		require.Equal(r, schema.Failed, result.Chain[1].State)
		require.Equal(r, schema.Cancelled, result.Chain[2].State)
	})
}

// What is left out of setGroup stays as it is.
func TestSettingsOfAGroupChangeOneByOne(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		set := func(p schema.SetGroupParams) schema.Group {
			p.Name = "g"
			g, err := r.SetGroup(r.Context(), &p)
			require.NoError(r, err)
			return g
		}
		set(schema.SetGroupParams{Limit: new(2)})
		set(schema.SetGroupParams{Rate: &schema.Rate{Count: 3, PerMs: 1000}})
		require.NoError(r, r.Pause(r.Context(), "g", true))
		require.Equal(r, schema.Group{Name: "g", Limit: 2, Paused: true, Rate: &schema.Rate{Count: 3, PerMs: 1000}}, set(schema.SetGroupParams{}))
		require.NoError(r, r.Pause(r.Context(), "g", false))
		require.Equal(r, schema.Group{Name: "g", Limit: 2}, set(schema.SetGroupParams{Rate: &schema.Rate{}}))
		for i := range 5 {
			_, err := r.SetGroup(r.Context(), &schema.SetGroupParams{Name: fmt.Sprint("h", i), Limit: new(1)})
			require.NoError(r, err)
		}
		var names []string
		for cursor := ""; ; {
			page, err := r.Groups(r.Context(), cursor, 2)
			require.NoError(r, err)
			require.LessOrEqual(r, len(page.Groups), 2)
			for _, g := range page.Groups {
				names = append(names, g.Name)
			}
			if cursor = page.NextCursor; cursor == "" {
				break
			}
		}
		require.Equal(r, []string{"g", "h0", "h1", "h2", "h3", "h4"}, names)
		set(schema.SetGroupParams{Limit: new(0)})
		page, err := r.Groups(r.Context(), "", 1)
		require.NoError(r, err)
		require.Equal(r, "h0", page.Groups[0].Name, "a group without settings and tasks is none")
		for pointer, p := range map[string]schema.SetGroupParams{
			"/name":       {},
			"/limit":      {Name: "g", Limit: new(-1)},
			"/rate/count": {Name: "g", Rate: &schema.Rate{Count: 10_001, PerMs: 1}},
			"/rate/perMs": {Name: "g", Rate: &schema.Rate{Count: 1}},
		} {
			_, err := r.SetGroup(r.Context(), &p)
			var refused *executor.InputError
			require.ErrorAs(r, err, &refused)
			require.Equal(r, pointer, refused.Violations[0].Pointer)
		}
	})
}

func TestDrainDoesNotWaitForWhatCannotRun(t *testing.T) {
	withStore(t, executor.Options{Limit: 2}, withResources, func(r *rig) {
		require.NoError(r, r.Pause(r.Context(), "later", true))
		paused := r.submit(napIf(schema.Conditions{Group: "later"}))
		left := []uuid.UUID{
			paused, r.submit(napIf(afterAll(paused))), r.submit(napIf(schema.Conditions{RunAt: schema.Now() + 3_600_000_000})),
		}
		soon := r.submit(napIf(schema.Conditions{RunAt: schema.Now() + 30_000_000}))
		behind := r.submit(napIf(afterAll(soon)))
		expiring := r.submit(napIf(schema.Conditions{Key: "k", After: afterAll(paused).After, ExpiresAt: schema.Now() + 10_000_000}))
		end := r.shutdown(schema.ShutdownDrain, time.Minute)
		began := time.Now()
		<-end.done
		require.Less(r, time.Since(began), 40*time.Second)
		require.Equal(r, schema.ShutdownResult{Completed: 2, Failed: 1, Left: int64(len(left))}, end.result)
		for _, id := range left {
			r.inState(id, schema.Queued)
		}
		r.inState(behind, schema.Completed)
		require.Equal(r, schema.KindExpired, r.inState(expiring, schema.Failed).Error.Kind)
		require.Equal(r, int64(1), r.stats().Totals.Failed)
	})
}

func TestDrainOfAPausedServerEndsAtOnce(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running := r.submit(nap(time.Second))
		r.inState(running, schema.Running)
		require.NoError(r, r.Pause(r.Context(), "", true))
		plain := r.submit(nap(0))
		end := r.shutdown(schema.ShutdownDrain, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1, Left: 1}, end.result)
		r.inState(plain, schema.Queued)
	})
}

// A drain without a time-out waits for a task that is delayed, however long.
func TestDrainWaitsForADelayedTask(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		r.submit(napIf(schema.Conditions{RunAt: schema.Now() + 3_600_000_000}))
		end := r.shutdown(schema.ShutdownDrain, 0)
		<-end.done
		require.Equal(r, schema.ShutdownResult{Completed: 1}, end.result)
	})
}

// A task that the store ends without a run leaves no hidden values behind.
func TestHiddenValuesOfTasksThatNeverRunAreDropped(t *testing.T) {
	half := strings.Repeat("x", executor.MaxSecretBytes*2/3)
	hiding := executor.MustDefine("hiding", func(context.Context, struct {
		Word string `json:"word"`
	}) (empty, error) {
		return empty{}, nil
	}, executor.Secret("word", nil))
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{hiding}}, func(r *rig) {
		hide := func(c schema.Conditions) schema.SubmitParams {
			return schema.SubmitParams{Type: "hiding", Input: jsontext.Value(`{"word":"` + half + `"}`), Conditions: c}
		}
		failing := r.submit(nap(time.Second))
		expired := r.submit(hide(schema.Conditions{Key: "k", RunAt: schema.Now() + 5_000_000, ExpiresAt: schema.Now() + 6_000_000}))
		require.NoError(r, r.Pause(r.Context(), "", true))
		r.pass(10 * time.Second)
		r.inState(expired, schema.Failed)
		r.inState(failing, schema.Completed)
		require.NoError(r, r.Pause(r.Context(), "", false))
		fails := r.of("deaf")
		lost := r.submit(hide(schema.Conditions{After: []schema.Dependency{{ID: fails, On: schema.OnFailure}}}))
		r.pass(time.Second)
		require.Equal(r, schema.KindDependency, r.inState(lost, schema.Failed).Error.Kind)
		r.inState(r.submit(hide(schema.Conditions{})), schema.Completed)
	})
}
