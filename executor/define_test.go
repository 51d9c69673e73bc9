package executor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

func TestDefineDescribesTheType(t *testing.T) {
	type input struct {
		Who string `json:"who" jsonschema:"whom to greet"`
	}
	greet := executor.MustDefine("greet", func(_ context.Context, in input) (string, error) { return in.Who, nil },
		executor.Describe("Says hello."), executor.Alias("hi"), executor.Source("builtin"))
	require.Equal(t, "greet", greet.Name())
	info := greet.Info()
	require.Equal(t, "greet", info.Name)
	require.Equal(t, []string{"hi"}, info.Aliases)
	require.Equal(t, "Says hello.", info.Description)
	require.Equal(t, "builtin", info.Source)
	require.Contains(t, string(info.InputSchema), "whom to greet")
	require.Contains(t, string(info.ResultSchema), `"string"`)
	require.Equal(t, "program", coded("x", nil).Info().Source)
}

func TestDefineRefuses(t *testing.T) {
	code := func(context.Context, empty) (empty, error) { return empty{}, nil }
	for name, c := range map[string]struct {
		define func() (executor.Type, error)
		want   string
	}{
		"an empty name":   {func() (executor.Type, error) { return executor.Define("", code) }, `""`},
		"a strange name":  {func() (executor.Type, error) { return executor.Define("a b", code) }, `"a b"`},
		"a long name":     {func() (executor.Type, error) { return executor.Define("a"+strings.Repeat("b", 64), code) }, "does not match"},
		"a strange alias": {func() (executor.Type, error) { return executor.Define("a", code, executor.Alias("1")) }, `"1"`},
		"its name as alias": {func() (executor.Type, error) {
			return executor.Define("a", code, executor.Alias("b", "a"))
		}, `task type "a": the alias "a" is its name: leave it out`},
		"an alias twice": {func() (executor.Type, error) {
			return executor.Define("a", code, executor.Alias("b"), executor.Alias("b"))
		}, `task type "a": the alias "b" is given twice: leave one out`},
		"no code": {func() (executor.Type, error) {
			return executor.Define[empty, empty]("a", nil)
		}, `task type "a": the function is nil: give`},
		"a tag that no number can satisfy": {func() (executor.Type, error) {
			return executor.Define("a", func(context.Context, struct {
				Color int `json:"color" schema:"enum=red|green"`
			}) (empty, error) {
				return empty{}, nil
			})
		}, `field Color: tag schema:"enum=red|green": enum: it is for string, and the field is integer: leave it out`},
		"a limit":    {func() (executor.Type, error) { return executor.Define("a", code, executor.Limit(-1)) }, "limit of -1"},
		"a time-out": {func() (executor.Type, error) { return executor.Define("a", code, executor.Timeout(-time.Second)) }, "a time-out of -1s is below zero"},
		"a grace":    {func() (executor.Type, error) { return executor.Define("a", code, executor.Grace(-time.Second)) }, "a grace of -1s is below zero"},
		"an input that is no JSON": {func() (executor.Type, error) {
			return executor.Define("a", func(context.Context, chan int) (empty, error) { return empty{}, nil })
		}, "input"},
		"a result that is no JSON": {func() (executor.Type, error) {
			return executor.Define("a", func(context.Context, empty) (func(), error) { return nil, nil })
		}, "result"},
	} {
		_, err := c.define()
		require.ErrorContains(t, err, c.want, name)
	}
	_, err := executor.Define("a"+strings.Repeat("b", 63), code)
	require.NoError(t, err, "the longest name")
	require.Panics(t, func() { executor.MustDefine("", code) })
}
