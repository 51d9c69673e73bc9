package rpc

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// text draws strings, some of which are not UTF-8.
var text = rapid.Custom(func(t *rapid.T) string {
	pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
		"a", "é", "🦄", `"`, `\`, "\n", "\x00", "\x7f", "\u2028", "<", "\xff", "\xed\xa0\x80", "\xf0\x9f",
	}), 0, 5).Draw(t, "text")
	return strings.Join(pieces, "")
})

func id(t *rapid.T) (id uuid.UUID) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	return id
}

func drawTime(t *rapid.T, name string) schema.Time {
	return rapid.OneOf(rapid.Just(schema.Time(0)), rapid.Map(rapid.Int64Range(-1e15, 4e15), func(n int64) schema.Time { return schema.Time(n) })).Draw(t, name)
}

func drawProgress(t *rapid.T) *schema.Progress {
	return &schema.Progress{
		Value: rapid.Float64().Draw(t, "value"), Total: rapid.Float64().Draw(t, "total"),
		Unit: text.Draw(t, "unit"), Message: text.Draw(t, "message"),
	}
}

func drawTask(t *rapid.T) *schema.Task {
	task := &schema.Task{
		ID: id(t), Type: text.Draw(t, "type"), State: schema.State(rapid.IntRange(0, 4).Draw(t, "state")),
		Priority: rapid.Int8().Draw(t, "priority"), Attempt: rapid.Int32().Draw(t, "attempt"),
		CreatedAt: max(1, drawTime(t, "created")), StartedAt: drawTime(t, "started"), FinishedAt: drawTime(t, "finished"),
		CancelRequestedAt: drawTime(t, "cancelRequested"), CancelReason: text.Draw(t, "reason"),
	}
	if rapid.Bool().Draw(t, "labelled") { // their names differ also when they are made UTF-8
		task.Labels = map[string]string{text.Draw(t, "label"): text.Draw(t, "label"), "other label": text.Draw(t, "label")}
	}
	if rapid.Bool().Draw(t, "reported") {
		task.Progress = drawProgress(t)
	}
	if rapid.Bool().Draw(t, "completed") {
		task.Result = jsontext.Value(`{"b":1,"a":[null,"\u00e9"]}`)
	}
	if rapid.Bool().Draw(t, "failed") {
		task.Error = &schema.TaskError{Kind: schema.ErrorKind(text.Draw(t, "kind")), Message: text.Draw(t, "message"), StderrTail: text.Draw(t, "tail"), Forced: rapid.Bool().Draw(t, "forced")}
		if rapid.Bool().Draw(t, "exited") {
			task.Error.ExitCode = new(rapid.Int().Draw(t, "code"))
		}
	}
	if rapid.Bool().Draw(t, "termed") {
		task.Terms = &schema.Terms{TimeoutMs: rapid.Int64().Draw(t, "timeout"), GraceMs: rapid.Int64().Draw(t, "grace"), Rerun: rapid.Bool().Draw(t, "rerun")}
	}
	if rapid.Bool().Draw(t, "wrote") {
		task.OutputBytes = &schema.OutputBytes{Stdout: rapid.Int64().Draw(t, "stdout"), Log: rapid.Int64().Draw(t, "log")}
	}
	return task
}

// requireSame compares what was appended with what the wire type marshals to,
// as canonical JSON. What was appended must be strict JSON.
func requireSame(t *rapid.T, value any, appended []byte) {
	want, err := json.Marshal(value, jsontext.AllowInvalidUTF8(true))
	require.NoError(t, err)
	got := jsontext.Value(appended)
	require.NoError(t, got.Canonicalize(), "%s", appended)
	require.NoError(t, (*jsontext.Value)(&want).Canonicalize())
	require.Equal(t, string(want), string(got))
}

func TestAppendedIsWhatTheTypesMarshalTo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		task := drawTask(t)
		existing := rapid.Bool().Draw(t, "existing")
		outcome := rapid.SampledFrom([]schema.CancelOutcome{schema.OutcomeCancelled, schema.OutcomeCancelling, schema.OutcomeAlreadyFinished}).Draw(t, "outcome")
		requireSame(t, schema.CancelResult{Outcome: outcome, Task: *task}, appendCancelled(nil, &executor.CancelAnswer{Outcome: outcome, Task: *task}))
		requireSame(t, schema.SubmitResult{Task: *task, Existing: existing}, appendSubmitted(nil, task, existing))

		tasks := []schema.Task{*task, *drawTask(t)}[:rapid.IntRange(0, 2).Draw(t, "tasks")]
		waited := make([]*schema.Task, len(tasks))
		for i := range tasks {
			waited[i] = &tasks[i]
		}
		requireSame(t, schema.WaitResult{Tasks: tasks, TimedOut: existing}, appendWaited(nil, waited, existing))

		seq := rapid.Uint64().Draw(t, "seq")
		finished := executor.Event{Kind: executor.EventFinished, Seq: seq, ID: task.ID, Task: task}
		requireSame(t, schema.FinishedEvent{Task: *task, Seq: seq}, appendEvent(nil, &finished))

		started := executor.Event{
			Kind: executor.EventStarted, Seq: seq, ID: task.ID, Attempt: task.Attempt,
			StartedAt: max(1, task.StartedAt), PID: rapid.IntRange(0, 1<<22).Draw(t, "pid"),
		}
		requireSame(t, schema.StartedEvent{ID: task.ID, Seq: seq, Attempt: task.Attempt, StartedAt: started.StartedAt, PID: started.PID},
			appendEvent(nil, &started))

		again := &executor.NextAttempt{At: started.StartedAt, Error: task.Error}
		retrying := executor.Event{Kind: executor.EventRetrying, Seq: seq, ID: task.ID, Attempt: task.Attempt, Next: again}
		requireSame(t, schema.RetryingEvent{ID: task.ID, Seq: seq, Attempt: task.Attempt, Error: again.Error, RunAt: again.At}, appendEvent(nil, &retrying))

		updated := executor.Event{Kind: executor.EventUpdated, Seq: seq, ID: task.ID, Task: task, Next: again}
		requireSame(t, schema.UpdatedEvent{RunAt: again.At, ID: task.ID, Seq: seq, Priority: task.Priority, Labels: task.Labels, Conditions: task.Conditions}, appendEvent(nil, &updated))

		progress := executor.Event{Kind: executor.EventProgress, Seq: seq, ID: task.ID, Progress: drawProgress(t)}
		requireSame(t, schema.ProgressEvent{ID: task.ID, Seq: seq, Progress: *progress.Progress}, appendEvent(nil, &progress))
	})
}

func TestAppendedEnvelopes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := wire.NewError(schema.CodeTooLarge, "%s", text.Draw(t, "message"))
		e.Data.Limit, e.Data.Suggestions = 7, []string{text.Draw(t, "suggestion")}
		raw := jsontext.Value(rapid.SampledFrom([]string{`1`, `"a\u0000"`, `-0.5e1`, `null`}).Draw(t, "id"))
		requireSame(t, map[string]any{"jsonrpc": "2.0", "id": raw, "error": e}, wire.AppendError(nil, raw, e))
		requireSame(t, map[string]any{"jsonrpc": "2.0", "id": nil, "error": e}, wire.AppendError(nil, nil, e))
		empty := func(b []byte) []byte { return append(b, "{}"...) }
		requireSame(t, map[string]any{"jsonrpc": "2.0", "id": raw, "result": schema.Empty{}}, appendReply(nil, raw, empty))
		head := appendNotificationHead(nil, schema.NotifyOutput)
		requireSame(t, map[string]any{"jsonrpc": "2.0", "method": "task/output", "params": schema.Empty{}}, append(empty(head), '}'))
	})
}

// Output survives the way through JSON whatever it is, and base64 is only for
// what is not UTF-8.
func TestEncodedOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := []byte(text.Draw(t, "output"))
		whole := data[:wholeRunes(data)]
		require.LessOrEqual(t, len(data)-len(whole), 3)
		encoded, encoding := schema.EncodeOutput(data)
		var back schema.OutputEvent
		require.NoError(t, json.Unmarshal(wire.AppendJSON(nil, schema.OutputEvent{Data: encoded, Encoding: encoding}), &back))
		require.Equal(t, encoded, back.Data)
		if encoding == schema.EncodingUTF8 {
			require.Equal(t, string(data), encoded)
			require.True(t, utf8.Valid(data))
		} else {
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			require.NoError(t, err)
			require.Equal(t, data, decoded)
		}
	})
}

// Text is sent as text, also a colourful one; what would be mostly escapes is not.
func TestEncodingOfOutput(t *testing.T) {
	for _, c := range []struct {
		data string
		want schema.Encoding
	}{
		{"", schema.EncodingUTF8},
		{"line\n\tline\r\n", schema.EncodingUTF8},
		{"\x1b[31mred and long enough\x1b[0m", schema.EncodingUTF8},
		{"\x00\x00\x00\x00", schema.EncodingBase64},
		{"seven b\x01", schema.EncodingUTF8},
		{"six by\x01", schema.EncodingBase64},
		{"\xff", schema.EncodingBase64},
	} {
		_, encoding := schema.EncodeOutput([]byte(c.data))
		require.Equal(t, c.want, encoding, "%q", c.data)
	}
}

func BenchmarkAppendFinished(b *testing.B) {
	id, _ := uuid.NewV7()
	now := schema.Now()
	ev := executor.Event{Seq: 1234567, ID: id, Kind: executor.EventFinished, Task: &schema.Task{
		ID: id, Type: "noop", State: schema.Completed, Attempt: 1, CreatedAt: now, StartedAt: now + 100, FinishedAt: now + 200, Result: []byte("{}"),
	}}
	var buf []byte
	for b.Loop() {
		buf = appendFinished(buf[:0], &ev)
	}
}
