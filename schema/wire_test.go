package schema

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// TestWireTypes sends values of every wire type there and back: what is
// written is valid and reads as the same.
func TestWireTypes(t *testing.T) {
	for _, run := range []func(*testing.T){
		wire(fullTask(), completedTask(), exampleTask(), Task{}),
		wire(Progress{Value: 0.5, Total: 1, Unit: "files", Message: "a.go"}, Progress{}),
		wire(OutputBytes{1, 2, 3}, OutputBytes{}),
		wire(*fullTaskError(), TaskError{Kind: KindTaskError}),
		wire(StartedEvent{ID: exampleID, Seq: 1, Attempt: 1, StartedAt: exampleStart, PID: 4711}, StartedEvent{Attempt: 1}),
		wire(ProgressEvent{ID: exampleID, Seq: 1<<64 - 1, Progress: Progress{Value: 1}}, ProgressEvent{}),
		wire(OutputEvent{ID: exampleID, Stream: Log, Offset: 1, Data: "\u2028", Encoding: EncodingBase64, Gap: 7}, OutputEvent{Encoding: EncodingUTF8}),
		wire(exampleRetrying(), RetryingEvent{Attempt: 1}),
		wire(exampleUpdatedEvent(), UpdatedEvent{}),
		wire(*fullRetry(), Retry{MaxAttempts: 1}),
		wire(Dedupe{Key: "k", On: DedupeReuse, WindowMs: 1}, Dedupe{Key: "k"}),
		wire(FinishedEvent{Task: fullTask(), Seq: 9}, FinishedEvent{}),
		wire(ReplayedEvent{Subscription: 2, Seq: 9, Missed: &Missed{3, 4}}, ReplayedEvent{Subscription: 1, Missed: &Missed{}}, ReplayedEvent{Subscription: 1}),
		wire(fullSubmit(), exampleSubmit(), SubmitParams{Type: "noop", Events: []string{}}),
		wire(SubmitResult{Task: fullTask(), Existing: true}, SubmitResult{}),
		wire(StatusParams{ID: exampleID, IncludeInput: true, IncludeAttempts: true, IncludeChildren: true, IncludeTerms: true}, StatusParams{}),
		wire(CancelParams{ID: exampleID, Reason: "why", Force: true}, CancelParams{}),
		wire(CancelResult{Outcome: OutcomeCancelled, Task: fullTask()}, CancelResult{Outcome: OutcomeAlreadyFinished}),
		wire(ShutdownParams{Mode: ShutdownFinish, TimeoutMs: 1, Scope: ScopeConnection}, ShutdownParams{}),
		wire(ExitParams{Scope: ScopeExecutor}, ExitParams{}),
		wire(fullInitialize(), InitializeParams{}, InitializeParams{ClientInfo: &ClientInfo{Name: "a"}}),
		wire(exampleInitialized()),
		wire(ShuttingDownEvent{"interrupt", "why"}, ShuttingDownEvent{Mode: "drain"}),
		wire(ShutdownResult{1, 2, 3, 4}, ShutdownResult{}),
		wire(WaitParams{IDs: ids(exampleID, otherID), Until: UntilAny, TimeoutMs: new(int64(0))}, WaitParams{IDs: ids(otherID)}),
		wire(WaitResult{Tasks: []Task{fullTask(), exampleTask()}, TimedOut: true}, WaitResult{Tasks: []Task{}}),
		wire(ListParams{[]State{Queued, Cancelled}, []string{"noop"}, map[string]string{"a": "b"}, "build", "deploy", otherID, "m1", "01890a5d-ac", exampleStart, exampleStart + 1, OldestFirst, 1000, "x"}, ListParams{}),
		wire(ListResult{Tasks: []Task{completedTask()}, NextCursor: "x"}, ListResult{Tasks: []Task{}}),
		wire(OutputParams{exampleID, new(Stderr), new(int64(1)), new(int64(2)), 3}, OutputParams{ID: exampleID}),
		wire(OutputResult{"data", EncodingUTF8, 1, 2, true, 3}, OutputResult{Encoding: EncodingBase64}),
		wire(exampleTypes(), TypesResult{Types: []TypeInfo{}}),
		wire(exampleStats(), StatsResult{PID: 1, Limits: map[string]int64{}}),
		wire(CancelRequestParams{ID: jsontext.Value(`"a"`)}, CancelRequestParams{ID: jsontext.Value(`null`)}),
		wire(fullSubscribe(), SubscribeParams{After: new(uint64(0)), Events: []string{}}, SubscribeParams{}),
		wire(SubscribeResult{Subscription: 1, Seq: 1<<64 - 1, Gap: true}, SubscribeResult{Subscription: 1}),
		wire(UnsubscribeParams{Subscription: 1<<32 - 1}, UnsubscribeParams{Subscription: 1}),
		wire(Empty{}),
		wire(ErrorData{Kind: "tooLarge", Retryable: true, Violations: []Violation{{"/a~1b", "no"}}, Limit: 7, Oldest: 9, Suggestions: []string{"x"}, ID: exampleID}, ErrorData{}),
	} {
		run(t)
	}
}

// wire is a test of values of one type.
func wire[T any](values ...T) func(*testing.T) {
	return func(t *testing.T) {
		s := mustDerive[T](t)
		for _, value := range values {
			text, err := json.Marshal(value, json.Deterministic(true))
			require.NoError(t, err)
			require.Nil(t, s.Validate(text), "%T: %s", value, text)
			var back T
			require.NoError(t, s.Unmarshal(text, &back))
			again, err := json.Marshal(back, json.Deterministic(true))
			require.NoError(t, err)
			want := strings.ReplaceAll(string(text), "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:00.000001Z") // a text is never "not yet"
			require.Equal(t, want, string(again))
		}
	}
}

// TestWireLimits holds the limits of the protocol that the Go types cannot say.
func TestWireLimits(t *testing.T) {
	submit, wait, list, output := mustDerive[SubmitParams](t), mustDerive[WaitParams](t), mustDerive[ListParams](t), mustDerive[OutputParams](t)
	subscribe, unsubscribe := mustDerive[SubscribeParams](t), mustDerive[UnsubscribeParams](t)
	manyIDs := func(n int) string {
		return `{"ids":["` + strings.Repeat(otherID.String()+`","`, n-1) + otherID.String() + `"]}`
	}
	manyTypes := func(n int) string { return `{"types":["` + strings.Repeat(`a","`, n-1) + `a"]}` }
	id := `"id":"` + exampleID.String() + `"`
	for _, c := range []struct {
		schema    *Schema
		good, bad string
		pointer   string
	}{
		{submit, `{"type":"a","priority":100}`, `{"type":"a","priority":101}`, "/priority"},
		{submit, `{"type":"a","priority":-100}`, `{"type":"a","priority":-101}`, "/priority"},
		{submit, `{"type":"a","timeoutMs":315360000000}`, `{"type":"a","timeoutMs":315360000001}`, "/timeoutMs"},
		{submit, `{"type":"a","graceMs":0}`, `{"type":"a","graceMs":-1}`, "/graceMs"},
		{submit, `{"type":"a"}`, `{"type":""}`, "/type"},
		{submit, `{"type":"a","events":["output"]}`, `{"type":"a","events":["output","outputs"]}`, "/events/1"},
		{submit, `{"type":"a",` + id + `}`, `{"type":"a","id":"01890a5dac96774bbcceb302099a8057"}`, "/id"},
		{wait, `{"ids":["` + otherID.String() + `"],"timeoutMs":0}`, `{"ids":[]}`, "/ids"},
		{list, `{"limit":1,"states":["queued"]}`, `{"limit":0}`, "/limit"},
		{list, `{"limit":1000,"order":"oldest"}`, `{"limit":1001}`, "/limit"},
		{list, `{"since":"2026-03-01T12:00:00Z","until":"2026-03-01T13:00:00.5+01:00"}`, `{"since":"2026-03-01"}`, "/since"},
		{subscribe, manyIDs(1000), manyIDs(1001), "/ids"},
		{subscribe, manyTypes(100), manyTypes(101), "/types"},
		{subscribe, `{"after":0,"labels":{},"events":[]}`, `{"after":-1}`, "/after"},
		{subscribe, `{"states":["running"]}`, `{"events":["began"]}`, "/events/0"},
		{unsubscribe, `{"subscription":4294967295}`, `{"subscription":4294967296}`, "/subscription"},
		{unsubscribe, `{"subscription":1}`, `{"subscription":0}`, "/subscription"},
		{output, `{` + id + `,"offset":0,"stream":"log"}`, `{` + id + `,"offset":-1}`, "/offset"},
	} {
		require.Nil(t, c.schema.Validate(jsontext.Value(c.good)), c.good)
		v := c.schema.Validate(jsontext.Value(c.bad))
		require.Len(t, v, 1, c.bad)
		require.Equal(t, c.pointer, v[0].Pointer)
	}
}

func TestNamesAndTimesAsText(t *testing.T) {
	for i, name := range StateNames {
		var s State
		require.NoError(t, s.UnmarshalText([]byte(name)))
		require.Equal(t, State(i), s)
		require.Equal(t, name, s.String())
		require.Equal(t, name == "completed" || name == "failed" || name == "cancelled", s.Final())
	}
	for i, name := range StreamNames {
		var s Stream
		require.NoError(t, s.UnmarshalText([]byte(name)))
		require.Equal(t, Stream(i), s)
		require.Equal(t, name, s.String())
	}
	require.ErrorContains(t, new(State).UnmarshalText([]byte("done")), `"done" is not a state`)
	require.ErrorContains(t, new(Stream).UnmarshalText([]byte("stdin")), `"stdin" is not a stream`)
	require.Equal(t, "State(5)", State(5).String())
	require.Equal(t, "Stream(3)", Stream(3).String())

	var at Time
	require.NoError(t, at.UnmarshalText([]byte("2026-03-01T13:00:00.0000019+01:00")))
	require.Equal(t, exampleStart+1, at)
	require.Equal(t, "2026-03-01T12:00:00.000001Z", at.String())
	require.ErrorContains(t, at.UnmarshalText([]byte("yesterday")), "is not an RFC 3339 time")
}

// TestADependencyThatIsNoneSaysWhatIsWanted holds that a client reads no name of a Go type.
func TestADependencyThatIsNoneSaysWhatIsWanted(t *testing.T) {
	found := mustDerive[SubmitParams](t).Validate([]byte(`{"type":"noop","after":["build","` + exampleID.String() + `:done"]}`))
	want := "want the id of a task, alone or with :success or :failure or :finish behind it"
	require.Equal(t, []Violation{{Pointer: "/after/0", Message: want}, {Pointer: "/after/1", Message: want}}, found)
	found = mustDerive[SubmitParams](t).Validate([]byte(`{"type":"noop","after":[{"id":"` + exampleID.String() + `","on":"failure"}]}`))
	require.Equal(t, []Violation{{Pointer: "/after/0", Message: "got object, want string: the id of a task, alone or with :success or :failure or :finish behind it"}}, found)
}
