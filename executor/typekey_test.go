package executor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

type deployInput struct {
	Host string `json:"host,omitzero"`
}

func deploy(context.Context, deployInput) (struct{}, error) { return struct{}{}, nil }

func hostOf(in deployInput) string {
	if in.Host == "panics" {
		panic("no such host")
	}
	return in.Host
}

// TestConditionsOfAType has a type that gives its tasks a group and a key.
func TestConditionsOfAType(t *testing.T) {
	typ, err := executor.Define("deploy", deploy, executor.Group("deploys"), executor.Key(hostOf))
	require.NoError(t, err)
	e, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{typ}})
	require.NoError(t, err)
	prepare := func(p schema.SubmitParams, input string) (*schema.Conditions, error) {
		p.Type, p.Input = "deploy", jsontext.Value(input)
		s, err := e.Prepare(&p)
		return s.Conditions, err
	}
	for _, c := range []struct {
		params schema.SubmitParams
		input  string
		want   schema.Conditions
	}{
		{schema.SubmitParams{}, `{"host":"a"}`, schema.Conditions{Group: "deploys", Key: "a"}},
		{schema.SubmitParams{}, `{}`, schema.Conditions{Group: "deploys"}},
		{schema.SubmitParams{Conditions: schema.Conditions{Group: "g", Key: "k"}}, `{"host":"panics"}`, schema.Conditions{Group: "g", Key: "k"}},
	} {
		got, err := prepare(c.params, c.input)
		require.NoError(t, err)
		require.Equal(t, &c.want, got)
	}
	_, err = prepare(schema.SubmitParams{}, `{"host":"panics"}`)
	require.ErrorContains(t, err, "has panicked: no such host")
	_, err = prepare(schema.SubmitParams{}, `{"host":"`+strings.Repeat("a", 257)+`"}`)
	require.ErrorContains(t, err, "params at /key: 257 bytes are more than 256")
}

func TestWrongConditionsOfAType(t *testing.T) {
	_, err := executor.Define("deploy", deploy, executor.Key(func(struct{}) string { return "" }))
	require.ErrorContains(t, err, `task type "deploy": the function of Key takes a struct {}, and the input is a executor_test.deployInput: give both the same type`)
	_, err = executor.Define("deploy", deploy, executor.Group(strings.Repeat("g", 257)))
	require.ErrorContains(t, err, `task type "deploy": group: 257 bytes are more than 256`)
}
