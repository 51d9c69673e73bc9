package client_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// asked is a request as a server reads it.
type asked struct {
	ID     jsontext.Value `json:"id"`
	Method string         `json:"method"`
	Params jsontext.Value `json:"params"`
}

// answeredBy is a client of a server that answers each request with what answer says, as the member
// result or error.
func answeredBy(t *testing.T, answer func(asked) string) *client.Client {
	near, far := rpctest.Pipe()
	c := client.New(t.Context(), near, wire.FramingLine)
	served := make(chan error, 1)
	go func() { // ends with the client
		lines := bufio.NewScanner(far)
		for lines.Scan() {
			var a asked
			if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
				served <- err
				return
			}
			if _, err := fmt.Fprintf(far, `{"jsonrpc":"2.0","id":%s,%s}`+"\n", a.ID, answer(a)); err != nil {
				break
			}
		}
		served <- far.(io.Closer).Close()
	}()
	t.Cleanup(func() {
		require.NoError(t, c.Close())
		require.NoError(t, <-served)
	})
	return c
}

// What a server answered that knew neither attempts, parts and terms of tasks nor the events
// retrying and updated.
const (
	refusedStatus    = `"error":{"code":-32602,"message":"params at /includeAttempts: unknown member; known are \"id\", \"includeInput\"; at /includeTerms: unknown member; known are \"id\", \"includeInput\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/includeAttempts","message":"unknown member; known are \"id\", \"includeInput\""},{"pointer":"/includeTerms","message":"unknown member; known are \"id\", \"includeInput\""}]}}`
	refusedSubscribe = `"error":{"code":-32602,"message":"params at /events/1: got \"retrying\", want one of \"started\", \"progress\", \"output\", \"finished\"; at /events/2: got \"updated\", want one of \"started\", \"progress\", \"output\", \"finished\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/events/1","message":"got \"retrying\", want one of \"started\", \"progress\", \"output\", \"finished\""},{"pointer":"/events/2","message":"got \"updated\", want one of \"started\", \"progress\", \"output\", \"finished\""}]}}`
	refusedSubmit    = `"error":{"code":-32602,"message":"params at /retry: unknown member; known are \"type\", \"input\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/retry","message":"unknown member; known are \"type\", \"input\""}]}}`
	refusedTimeout   = `"error":{"code":-32602,"message":"params at /timeoutMs: -1 is not within 0..315360000000","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/timeoutMs","message":"-1 is not within 0..315360000000"}]}}`
	refusedInput     = `"error":{"code":-32602,"message":"params at /submit/input/x: unknown member; there are none","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/submit/input/x","message":"unknown member; there are none"}]}}`
	refusedMethod    = `"error":{"code":-32601,"message":"no method is named \"explain\"; rpc.discover lists them","data":{"kind":"methodNotFound","retryable":false}}`
)

// TestAnOlderServerIsAskedForLess: what only asks for more of the answer is left out.
func TestAnOlderServerIsAskedForLess(t *testing.T) {
	var params []string
	c := answeredBy(t, func(a asked) string {
		params = append(params, string(a.Params))
		switch {
		case len(params) == 1:
			return refusedStatus
		case len(params) == 3:
			return refusedSubscribe
		case a.Method == schema.MethodStatus:
			return `"result":{"id":"018f0000-0000-7000-8000-00000000000a","type":"noop","state":"queued","priority":0,"attempt":0,"labels":{},"createdAt":"2026-01-31T12:00:00Z"}`
		}
		return `"result":{"subscription":7,"seq":3}`
	})
	id := uuid.MustParse("018f0000-0000-7000-8000-00000000000a")
	task, err := c.Status(t.Context(), schema.StatusParams{ID: id, IncludeInput: true, IncludeAttempts: true, IncludeTerms: true})
	require.NoError(t, err)
	require.Equal(t, id, task.ID)
	require.JSONEq(t, `{"id":"018f0000-0000-7000-8000-00000000000a","includeInput":true}`, params[1])
	s, err := c.Subscribe(t.Context(), schema.SubscribeParams{Types: []string{"exec"}, Events: []string{"started", "retrying", "updated", "finished"}})
	require.NoError(t, err)
	require.EqualValues(t, 7, s.Subscription)
	require.JSONEq(t, `{"types":["exec"],"events":["started","finished"]}`, params[3])
	require.Len(t, params, 4)
}

// TestAnOlderServerIsSaidToBeOne, where the call would mean something else without what the server
// does not know.
func TestAnOlderServerIsSaidToBeOne(t *testing.T) {
	answer, calls := "", 0
	c := answeredBy(t, func(asked) string {
		calls++
		return answer
	})
	older := func(err error) *client.OlderServerError {
		var e *client.OlderServerError
		require.ErrorAs(t, err, &e)
		require.ErrorAs(t, err, new(*wire.Error))
		return e
	}
	ctx, submit := t.Context(), schema.SubmitParams{Type: "noop", Conditions: schema.Conditions{Retry: &schema.Retry{MaxAttempts: 2}}, TimeoutMs: schema.NoTimeout}
	answer = refusedSubmit
	_, err := c.Submit(ctx, submit)
	require.Equal(t, []string{"/retry"}, older(err).Members)
	answers := 0
	require.NoError(t, c.SubmitAll(ctx, 1, func(context.Context) iter.Seq[schema.SubmitParams] {
		return func(yield func(schema.SubmitParams) bool) { yield(submit) }
	}, func(a client.SubmitAnswer) error {
		answers++
		require.Equal(t, "submit", older(a.Err).Method)
		return nil
	}))
	require.Equal(t, 1, answers)
	answer = refusedTimeout
	_, err = c.Submit(ctx, submit)
	require.Equal(t, []string{"/timeoutMs"}, older(err).Members)
	answer = refusedMethod
	_, err = c.Explain(ctx, schema.ExplainParams{ID: uuid.New()})
	require.Equal(t, "explain", older(err).Method)
	require.Empty(t, older(err).Members)
	answer = refusedInput
	_, err = c.Schedule(ctx, schema.ScheduleParams{Name: "a"})
	require.ErrorAs(t, err, new(*wire.Error))
	require.NotErrorAs(t, err, new(*client.OlderServerError), "the type says what its input has")
	answer = strings.ReplaceAll(refusedSubscribe, "retrying", "retried")
	_, err = c.Subscribe(ctx, schema.SubscribeParams{Events: []string{"started", "retried", "updated"}})
	require.ErrorAs(t, err, new(*wire.Error), "a name of no event is a mistake of the program")
	require.Equal(t, 6, calls, "each once")
}

// TestAServerMayAnswerAnything: a violation without a place is no reason to ask again.
func TestAServerMayAnswerAnything(t *testing.T) {
	calls := 0
	c := answeredBy(t, func(asked) string {
		calls++
		return `"error":{"code":-32602,"message":"params: unknown member","data":{"violations":[{"message":"unknown member"}]}}`
	})
	_, err := c.Status(t.Context(), schema.StatusParams{ID: uuid.New(), IncludeTerms: true})
	require.ErrorAs(t, err, new(*wire.Error))
	require.Equal(t, 1, calls)
}
