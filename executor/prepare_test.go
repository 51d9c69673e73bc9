package executor_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// idle is an executor that does not run.
func idle(t *testing.T, o executor.Options) *executor.Executor {
	t.Helper()
	o.Types = append(testTypes(), o.Types...)
	e, err := executor.New(memory.New(memory.Options{}), o)
	require.NoError(t, err)
	return e
}

func TestPrepareFillsIn(t *testing.T) {
	e := idle(t, executor.Options{Grace: 7 * time.Second})
	p := schema.SubmitParams{Type: "doze"}
	r, err := e.Prepare(&p)
	require.NoError(t, err)
	require.Equal(t, "nap", r.Type, "an alias stands for its type")
	require.Equal(t, uuid.Version(7), r.ID.Version())
	require.True(t, r.NewID)
	require.Equal(t, "{}", string(r.Input))
	require.Equal(t, schema.Queued, r.State)
	require.Equal(t, executor.DefaultEvents, r.Events)
	require.Equal(t, 7*time.Second, r.Grace)
	require.Zero(t, r.Timeout)
	require.InDelta(t, float64(schema.Now()), float64(r.CreatedAt), float64(time.Minute.Microseconds()))

	own := schema.SubmitParams{
		Type: "nap", ID: uuid.New(), Priority: new(-5), TimeoutMs: 11, GraceMs: new(int64(0)),
		Input: jsontext.Value(`{"ms":1}`), Labels: map[string]string{"k": "v"}, Events: []string{},
	}
	r, err = e.Prepare(&own)
	require.NoError(t, err)
	require.Equal(t, own.ID, r.ID)
	require.False(t, r.NewID)
	require.Equal(t, int8(-5), r.Priority)
	require.Equal(t, 11*time.Millisecond, r.Timeout)
	require.Zero(t, r.Grace)
	require.Zero(t, r.Events)
	require.Equal(t, own.Labels, r.Labels)
	own.Input[1] = 'X' // the record has a copy
	require.Equal(t, `{"ms":1}`, string(r.Input))
}

// TestPrepareSaysWhatMayRunAgain has the type's word, unless the submit has one.
func TestPrepareSaysWhatMayRunAgain(t *testing.T) {
	run := func(context.Context, empty) (empty, error) { return empty{}, nil }
	e := idle(t, executor.Options{Types: []executor.Type{
		executor.MustDefine("twice", run, executor.Idempotent()), executor.MustDefine("once", run),
	}})
	for _, c := range []struct {
		typ   string
		rerun *bool
		want  bool
	}{
		{"twice", nil, true}, {"twice", new(false), false}, {"twice", new(true), true},
		{"once", nil, false}, {"once", new(false), false}, {"once", new(true), true},
	} {
		r, err := e.Prepare(&schema.SubmitParams{Type: c.typ, Rerun: c.rerun})
		require.NoError(t, err)
		require.Equal(t, c.want, r.Rerun, c)
	}
	idempotent := map[string]bool{}
	for _, info := range e.Types() {
		idempotent[info.Name] = info.Idempotent
	}
	require.True(t, idempotent["twice"])
	require.False(t, idempotent["once"])
}

func labels(n, bytes int) map[string]string {
	m := map[string]string{}
	for i := range n {
		key := strconv.Itoa(i)
		m[key+strings.Repeat("k", bytes-len(key))] = strings.Repeat("v", bytes)
	}
	return m
}

func TestPrepareAtTheLimits(t *testing.T) {
	e := idle(t, executor.Options{})
	for name, p := range map[string]schema.SubmitParams{
		"the highest priority": {Priority: new(100)},
		"the lowest priority":  {Priority: new(-100)},
		"the longest time-out": {TimeoutMs: executor.MaxMs},
		"the longest grace":    {GraceMs: new(executor.MaxMs)},
		"the most labels":      {Labels: labels(executor.MaxLabels, executor.MaxLabelBytes)},
	} {
		p.Type = "nap"
		_, err := e.Prepare(&p)
		require.NoError(t, err, name)
	}
}

func TestPreparePastTheLimits(t *testing.T) {
	e := idle(t, executor.Options{})
	for name, c := range map[string]struct {
		p       schema.SubmitParams
		pointer string
	}{
		"priority":     {schema.SubmitParams{Priority: new(101)}, "/priority"},
		"low priority": {schema.SubmitParams{Priority: new(-101)}, "/priority"},
		"far priority": {schema.SubmitParams{Priority: new(256)}, "/priority"},
		"time-out":     {schema.SubmitParams{TimeoutMs: executor.MaxMs + 1}, "/timeoutMs"},
		"no time-out":  {schema.SubmitParams{TimeoutMs: -2}, "/timeoutMs"},
		"grace":        {schema.SubmitParams{GraceMs: new(executor.MaxMs + 1)}, "/graceMs"},
		"no grace":     {schema.SubmitParams{GraceMs: new(int64(-1))}, "/graceMs"},
		"event":        {schema.SubmitParams{Events: []string{"ended"}}, "/events/0"},
	} {
		c.p.Type = "nap"
		_, err := e.Prepare(&c.p)
		var wrong *executor.InputError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, c.pointer, wrong.Violations[0].Pointer, name)
		require.Contains(t, wrong.Error(), "params")
	}
	for name, c := range map[string]struct {
		labels map[string]string
		size   int64
	}{
		"one label more": {labels(executor.MaxLabels+1, 10), executor.MaxLabels + 1},
		"a long label":   {labels(1, executor.MaxLabelBytes+1), executor.MaxLabelBytes + 1},
		"a long value":   {map[string]string{"k": strings.Repeat("v", executor.MaxLabelBytes+1)}, executor.MaxLabelBytes + 1},
	} {
		_, err := e.Prepare(&schema.SubmitParams{Type: "nap", Labels: c.labels})
		var large *executor.TooLargeError
		require.ErrorAs(t, err, &large, name)
		require.Equal(t, [2]int64{c.size, c.size - 1}, [2]int64{large.Size, large.Limit}, name)
	}
}

func TestPrepareChecksTheInput(t *testing.T) {
	e := idle(t, executor.Options{})
	for input, pointer := range map[string]string{
		`{"ms":"long"}`:  "/ms",
		`{"ms":1.5}`:     "/ms",
		`{"minutes":1}`:  "/minutes",
		`[]`:             "",
		`null`:           "",
		`{"ms":1}trash`:  "",
		`{x`:             "",
		`{"ms":1,"ms":2`: "",
	} {
		_, err := e.Prepare(&schema.SubmitParams{Type: "nap", Input: jsontext.Value(input)})
		var wrong *executor.InputError
		require.ErrorAs(t, err, &wrong, input)
		require.Equal(t, "input", wrong.What, input)
		if pointer != "" {
			require.Equal(t, pointer, wrong.Violations[0].Pointer, input)
			require.Contains(t, wrong.Error(), "input at "+pointer, input)
		}
	}
}

// TestIntegersAsOtherLanguagesWriteThem has inputs that the schema takes, so
// that the code must get them.
func TestIntegersAsOtherLanguagesWriteThem(t *testing.T) {
	withRig(t, executor.Options{}, func(r *rig) {
		for input, want := range map[string]string{`{"ms":2.0}`: `{"ms":2}`, `{"ms":1e3}`: `{"ms":1000}`} {
			id := r.submit(schema.SubmitParams{Type: "nap", Input: jsontext.Value(input)})
			r.pass(time.Second)
			require.JSONEq(r, want, string(r.inState(id, schema.Completed).Result))
		}
	})
}

func TestUnknownType(t *testing.T) {
	e := idle(t, executor.Options{})
	for name, want := range map[string][]string{"napp": {"nap"}, "faill": {"fail"}, "": nil, "bananas": nil} {
		_, err := e.Prepare(&schema.SubmitParams{Type: name})
		var unknown *executor.UnknownTypeError
		require.ErrorAs(t, err, &unknown, name)
		require.Equal(t, name, unknown.Name)
		require.Equal(t, want, unknown.Suggestions, name)
		require.Equal(t, want != nil, strings.Contains(err.Error(), "did you mean"), name)
	}
}

func TestAllow(t *testing.T) {
	e := idle(t, executor.Options{Allow: []string{"snooze", "fail"}})
	names := func() (found []string) {
		for _, info := range e.Types() {
			found = append(found, info.Name)
		}
		return found
	}
	require.Equal(t, []string{"fail", "nap"}, names(), "an alias allows its type")
	for _, name := range []string{"nap", "doze", "fail"} {
		_, err := e.Prepare(&schema.SubmitParams{Type: name})
		require.NoError(t, err, name)
	}
	_, err := e.Prepare(&schema.SubmitParams{Type: "deaf"})
	var not *executor.NotPermittedError
	require.ErrorAs(t, err, &not)
	require.Equal(t, "deaf", not.Name)
	_, err = e.Prepare(&schema.SubmitParams{Type: "deef"})
	var unknown *executor.UnknownTypeError
	require.ErrorAs(t, err, &unknown)
	require.NotContains(t, unknown.Suggestions, "deaf", "what is not offered is not suggested")
}

func TestNewRefuses(t *testing.T) {
	nap := testTypes()[0]
	for name, c := range map[string]struct {
		o    executor.Options
		want string
	}{
		"a limit below zero":            {executor.Options{Limit: -1}, "a limit of no tasks"},
		"a name twice":                  {executor.Options{Types: []executor.Type{nap, nap}}, `"nap"`},
		"an alias that is another name": {executor.Options{Types: []executor.Type{nap, coded("doze", nil)}}, `"doze"`},
		"a type that was not defined":   {executor.Options{Types: []executor.Type{nap, {}}}, "Options.Types[1] was not made with Define"},
		"an unknown allowed type":       {executor.Options{Types: []executor.Type{nap}, Allow: []string{"naps"}}, "did you mean nap"},
	} {
		_, err := executor.New(memory.New(memory.Options{}), c.o)
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := executor.New(nil, executor.Options{})
	require.ErrorContains(t, err, "the store is nil: give one")
}

func TestDefaultsOfNew(t *testing.T) {
	e := idle(t, executor.Options{})
	require.Positive(t, e.Limit())
	s, err := e.Stats(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(5000), s.Limits["graceMs"])
	require.Equal(t, int64(4<<20), s.Limits["resultBytes"])
	none, err := idle(t, executor.Options{Grace: -1}).Prepare(&schema.SubmitParams{Type: "nap"})
	require.NoError(t, err)
	require.Zero(t, none.Grace)
}

func TestErrorsSayWhatIsWrong(t *testing.T) {
	for want, err := range map[string]error{
		"params":                    &executor.InputError{},
		"input: bad; at /a: worse":  &executor.InputError{What: "input", Violations: []schema.Violation{{Message: "bad"}, {Pointer: "/a", Message: "worse"}}},
		"labels: 3; the limit is 2": &executor.TooLargeError{What: "labels", Size: 3, Limit: 2},
		`no task type is named "x"; the method types lists them`: &executor.UnknownTypeError{Name: "x"},
		`no task type is named "x"; did you mean a or b?`:        &executor.UnknownTypeError{Name: "x", Suggestions: []string{"a", "b"}},
		`the task type "x" is not permitted on this server`:      &executor.NotPermittedError{Name: "x"},
		"busy":                executor.Retryable(errors.New("busy"), 0),
		"cancelled":           &executor.Cancellation{},
		"cancelled: too late": &executor.Cancellation{Reason: "too late"},
	} {
		require.EqualError(t, err, want)
	}
}
