package rpc_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// The schema is a leaf and writes down limits that the executor has as
// constants: they are the same.
func TestSchemaHasTheLimitsOfTheExecutor(t *testing.T) {
	submit := published[schema.SubmitParams](t)
	require.Equal(t, executor.MaxMs, submit["timeoutMs"].Maximum)
	require.Equal(t, executor.MaxMs, submit["graceMs"].Maximum)
	task := published[schema.Task](t)
	require.Equal(t, int64(executor.MaxLabels), submit["labels"].MaxProperties)
	require.Equal(t, int64(executor.MaxLabels+1), task["labels"].MaxProperties, "the label owner is added")
	for _, properties := range []map[string]property{submit, task} {
		require.Equal(t, int64(executor.MinPriority), properties["priority"].Minimum)
		require.Equal(t, int64(executor.MaxPriority), properties["priority"].Maximum)
		var label struct{ MaxLength int }
		require.NoError(t, json.Unmarshal(properties["labels"].AdditionalProperties, &label))
		require.Equal(t, executor.MaxLabelBytes, label.MaxLength)
	}
}

// property is a member of an object in a schema.
type property struct {
	Minimum, Maximum, MaxProperties int64
	AdditionalProperties            json.RawMessage
}

// published are the members of a type in its schema.
func published[T any](t *testing.T) map[string]property {
	t.Helper()
	s, err := schema.Derive[T]()
	require.NoError(t, err)
	var object struct{ Properties map[string]property }
	require.NoError(t, json.Unmarshal(s.Raw(), &object))
	return object.Properties
}

// What selects tasks has limits: each is told, and at it all is well.
func TestLimitsOfSelections(t *testing.T) {
	p := connect(t, server(t, 1), rpc.Options{})
	times := func(n int, element string) string {
		return strings.TrimSuffix(strings.Repeat(element+",", n), ",")
	}
	labels := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"l%d":""`, i))
		}
		return strings.Join(all, ",")
	}
	for _, c := range []struct {
		methods  []string
		params   func(n int) string
		most     int
		code     schema.Code
		contains string
	}{
		{[]string{"list", "subscribe"}, func(n int) string { return `"types":[` + times(n, `"noop"`) + `]` }, 100, schema.CodeInvalidParams, "at /types: got more, want at most 100 elements"},
		{[]string{"list", "subscribe"}, func(n int) string { return `"types":["` + strings.Repeat("n", n) + `"]` }, 256, schema.CodeInvalidParams, "at /types/0: got 257, want at most 256 characters"},
		{[]string{"list", "subscribe"}, func(n int) string { return `"states":[` + times(n, `"queued"`) + `]` }, 16, schema.CodeInvalidParams, "at /states: got more, want at most 16 elements"},
		{[]string{"list", "subscribe"}, func(n int) string { return `"labels":{` + labels(n) + `}` }, 32, schema.CodeInvalidParams, "at /labels: got more, want at most 32 members"},
		{[]string{"list", "subscribe"}, func(n int) string { return `"labels":{"` + strings.Repeat("n", n) + `":"x"}` }, 256, schema.CodeTooLarge, "the bytes of the key of the label"},
		{[]string{"subscribe"}, func(n int) string { return `"ids":[` + times(n, `"018f0000-0000-4000-8000-00000000000a"`) + `]` }, 1000, schema.CodeInvalidParams, "at /ids: got more, want at most 1000 elements"},
		{[]string{"subscribe", "submit"}, func(n int) string { return `"events":[` + times(n, `"started"`) + `]` }, 16, schema.CodeInvalidParams, "at /events: got more, want at most 16 elements"},
	} {
		for _, method := range c.methods {
			call := func(n int) message {
				params := c.params(n)
				if method == schema.MethodSubmit {
					params += `,"type":"noop"`
				}
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"c","method":%q,"params":{%s}}`, method, params))
				return p.reply(`"c"`)
			}
			require.Nil(t, call(c.most).Error, "%s %s", method, c.contains)
			m := call(c.most + 1)
			requireCode(t, c.code, m)
			require.Contains(t, m.Error.Message, c.contains)
		}
	}
	p.conn.Close()
}
