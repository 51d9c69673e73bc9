package executor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// fullDefaults are defaults of a group that say all there is.
func fullDefaults() *schema.GroupDefaults {
	return &schema.GroupDefaults{
		Priority: 7, TimeoutMs: 60_000, ExpireMs: 5000, Key: "k", Needs: map[string]int64{"gpu": 2},
		On:    map[string]string{"os": "linux"},
		Retry: &schema.Retry{MaxAttempts: 4, DelayMs: new(int64(10)), Factor: 1, MaxDelayMs: 10, Jitter: new(0.0)},
	}
}

// overGroups is an executor over a store with a resource, and with types that say something
// themselves, and nothing.
func overGroups(t *testing.T, s executor.Store) *executor.Executor {
	t.Helper()
	e, err := executor.New(s, executor.Options{Types: append(testTypes(),
		coded("own", nil, executor.Timeout(time.Second), executor.Retry(schema.Retry{MaxAttempts: 9}), executor.Group("g")))})
	require.NoError(t, err)
	return e
}

// TestGroupsGiveDefaults has what a submit says before what the type says, and that before what the
// group says.
func TestGroupsGiveDefaults(t *testing.T) {
	s := memory.New(memory.Options{Resources: map[string]int64{"gpu": 2}})
	e := overGroups(t, s)
	g, err := e.SetGroup(t.Context(), &schema.SetGroupParams{Name: "g", Defaults: fullDefaults()})
	require.NoError(t, err)
	require.Equal(t, fullDefaults(), g.Defaults)
	now := schema.Now()
	prepare := func(p schema.SubmitParams) executor.Submission {
		t.Helper()
		made, err := e.PrepareAt(&p, now)
		require.NoError(t, err)
		return made
	}
	in := schema.Conditions{Group: "g"}

	r := prepare(schema.SubmitParams{Type: "nap", Conditions: in})
	require.Equal(t, int8(7), r.Priority)
	require.Equal(t, time.Minute, r.Timeout)
	require.Equal(t, &schema.Conditions{
		Group: "g", Key: "k", Needs: map[string]int64{"gpu": 2}, On: map[string]string{"os": "linux"}, ExpiresAt: now + 5_000_000, Retry: fullDefaults().Retry,
	}, r.Conditions)

	r = prepare(schema.SubmitParams{
		Type: "nap", Priority: new(-3), TimeoutMs: 5, DelayMs: 8000, ExpireMs: 9000,
		Conditions: schema.Conditions{Group: "g", Key: "own", Needs: map[string]int64{"gpu": 1}, On: map[string]string{}, Retry: &schema.Retry{MaxAttempts: 1}},
	})
	require.Equal(t, int8(-3), r.Priority)
	require.Equal(t, 5*time.Millisecond, r.Timeout)
	require.Equal(t, &schema.Conditions{Group: "g", Key: "own", Needs: map[string]int64{"gpu": 1}, RunAt: now + 8_000_000, ExpiresAt: now + 9_000_000}, r.Conditions)

	r = prepare(schema.SubmitParams{Type: "nap", Priority: new(0), TimeoutMs: schema.NoTimeout, Conditions: in})
	require.Zero(t, r.Priority)
	require.Zero(t, r.Timeout)

	r = prepare(schema.SubmitParams{Type: "own", TimeoutMs: schema.NoTimeout})
	require.Zero(t, r.Timeout)

	r = prepare(schema.SubmitParams{Type: "nap", DelayMs: 8000, Conditions: in})
	require.Equal(t, now+13_000_000, r.Conditions.ExpiresAt, "it counts from runAt on")

	r = prepare(schema.SubmitParams{Type: "own"})
	require.Equal(t, time.Second, r.Timeout)
	require.Equal(t, int32(9), r.Conditions.Retry.MaxAttempts)
	require.Equal(t, "k", r.Conditions.Key)
	require.Equal(t, int8(7), r.Priority)

	r = prepare(schema.SubmitParams{Type: "nap", Conditions: schema.Conditions{Group: "other"}})
	require.Equal(t, executor.Submission{}.Priority, r.Priority)
	require.Equal(t, &schema.Conditions{Group: "other"}, r.Conditions)
	require.Nil(t, prepare(schema.SubmitParams{Type: "nap"}).Conditions)

	later, err := overGroups(t, s).Prepare(&schema.SubmitParams{Type: "nap", Conditions: in})
	require.NoError(t, err)
	require.Equal(t, "k", later.Conditions.Key, "another executor over the store knows them")

	g, err = e.SetGroup(t.Context(), &schema.SetGroupParams{Name: "g", Limit: new(3)})
	require.NoError(t, err)
	require.Equal(t, fullDefaults(), g.Defaults, "they stay where nothing is said of them")
	g, err = e.SetGroup(t.Context(), &schema.SetGroupParams{Name: "g", Defaults: &schema.GroupDefaults{Key: "z"}})
	require.NoError(t, err)
	require.Equal(t, &schema.GroupDefaults{Key: "z"}, g.Defaults)
	require.Equal(t, &schema.Conditions{Group: "g", Key: "z"}, prepare(schema.SubmitParams{Type: "nap", Conditions: in}).Conditions)
	g, err = e.SetGroup(t.Context(), &schema.SetGroupParams{Name: "g", Limit: new(0), Defaults: new(schema.GroupDefaults)})
	require.NoError(t, err)
	require.Nil(t, g.Defaults)
	require.Equal(t, &in, prepare(schema.SubmitParams{Type: "nap", Conditions: in}).Conditions)
	all, err := s.Groups(t.Context())
	require.NoError(t, err)
	require.Empty(t, all.Groups)
}

func TestDefaultsOfGroupsAreChecked(t *testing.T) {
	e := overGroups(t, memory.New(memory.Options{Resources: map[string]int64{"gpu": 2}}))
	for pointer, d := range map[string]schema.GroupDefaults{
		"/defaults/priority":          {Priority: 101},
		"/defaults/timeoutMs":         {TimeoutMs: -1},
		"/defaults/expireMs":          {ExpireMs: executor.MaxMs + 1},
		"/defaults/key":               {Key: "a\x00b"},
		"/defaults/needs/gpu":         {Needs: map[string]int64{"gpu": 3}},
		"/defaults/needs/tape":        {Needs: map[string]int64{"tape": 1}},
		"/defaults/on/gpu":            {On: map[string]string{"gpu": ""}},
		"/defaults/retry/maxAttempts": {Retry: &schema.Retry{}},
	} {
		_, err := e.SetGroup(t.Context(), &schema.SetGroupParams{Name: "g", Defaults: &d})
		var wrong *executor.InputError
		require.ErrorAs(t, err, &wrong, pointer)
		require.Equal(t, pointer, wrong.Violations[0].Pointer)
	}
}

// TestDefaultsThatCannotBeReadAreNone has a text that another program has written.
func TestDefaultsThatCannotBeReadAreNone(t *testing.T) {
	s := memory.New(memory.Options{})
	require.NoError(t, s.SetGroup(t.Context(), "g", plan.Settings{Defaults: `{"key":`}))
	e := overGroups(t, s)
	r, err := e.Prepare(&schema.SubmitParams{Type: "nap", Conditions: schema.Conditions{Group: "g"}})
	require.NoError(t, err)
	require.Empty(t, r.Conditions.Key)
	page, err := e.Groups(t.Context(), "", 10)
	require.NoError(t, err)
	require.Equal(t, "g", page.Groups[0].Name)
}

// TestNeedsOfAGroupThatAreNotThereNameTheGroup has a server with less than the one in which the group
// got its defaults.
func TestNeedsOfAGroupThatAreNotThereNameTheGroup(t *testing.T) {
	s := memory.New(memory.Options{})
	require.NoError(t, s.SetGroup(t.Context(), "g", plan.Settings{Defaults: `{"needs":{"gpu":2}}`}))
	e := overGroups(t, s)
	_, err := e.PrepareAt(&schema.SubmitParams{Type: "nap", Conditions: schema.Conditions{Group: "g"}}, schema.Now())
	require.EqualError(t, err, `params at /group: the group "g" gives its tasks needs, and there is no resource "gpu" here; start the server with --resource gpu=2, or more; or give needs, or the group other defaults`)
	_, err = e.PrepareAt(&schema.SubmitParams{Type: "nap", Conditions: schema.Conditions{Group: "g", Needs: map[string]int64{"gpu": 1}}}, schema.Now())
	require.ErrorContains(t, err, "params at /needs/gpu: there is no resource")
}
