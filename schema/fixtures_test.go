package schema

import (
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Values of the wire types with every member set, or as the server fills them.
// They are the examples of the OpenRPC document too.

var (
	exampleID = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")
	otherID   = uuid.MustParse("01890a5d-ac97-7000-8000-000000000001")

	exampleStart = TimeOf(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
)

func exampleTask() Task {
	return Task{
		ID: exampleID, Type: "sleep", State: Queued, Priority: 10, Labels: map[string]string{"project": "demo"},
		CreatedAt: exampleStart,
	}
}

func runningTask() Task {
	t := exampleTask()
	t.State, t.Attempt, t.StartedAt = Running, 1, exampleStart+1500
	t.Progress = &Progress{Value: 250, Total: 1000, Unit: "ms", Message: "sleeping"}
	return t
}

func completedTask() Task {
	t := runningTask()
	t.State, t.FinishedAt, t.Result = Completed, exampleStart+1_001_500, jsontext.Value(`{}`)
	t.Progress.Value = 1000
	return t
}

// fullTask has every member set, also those that exclude each other.
func fullTask() Task {
	t := completedTask()
	t.State, t.CancelRequestedAt, t.CancelReason = Cancelled, exampleStart+2000, "no longer needed"
	t.Stopped, t.RunsOn, t.RanOn = true, &RunsOn{"m1", "build1"}, &RunsOn{"m2", "build2"}
	t.Error = fullTaskError()
	t.OutputBytes = &OutputBytes{Stdout: 12, Stderr: 3, Log: 1}
	t.Input = jsontext.Value(`{"durationMs":1000}`)
	t.Attempts = []Attempt{
		{Attempt: 1, StartedAt: exampleStart, FinishedAt: exampleStart + 1, Error: fullTaskError(), Output: &AttemptOutput{Stdout: Span{To: 5}}},
		{Attempt: 2, StartedAt: exampleStart + 2, RanOn: &RunsOn{"m1", "build1"}},
	}
	t.Children = &TaskCounts{Queued: 1, Running: 2, Completed: 3, Failed: 4, Cancelled: 5}
	t.Terms = &Terms{TimeoutMs: 600_000, GraceMs: 5000, Rerun: true}
	return t
}

func fullTaskError() *TaskError {
	return &TaskError{
		Kind: KindSignal, Message: "ended by SIGKILL", Retryable: true, ExitCode: new(-1), Signal: "SIGKILL",
		StderrTail: "oops\n", Errno: "ENOENT", Forced: true, Leaked: true,
	}
}

func exampleSubmit() SubmitParams {
	return SubmitParams{
		Type: "sleep", Input: jsontext.Value(`{"durationMs":1000}`), ID: exampleID, Priority: new(10),
		Labels: map[string]string{"project": "demo"},
	}
}

func fullSubmit() SubmitParams {
	p := exampleSubmit()
	p.TimeoutMs, p.GraceMs = 60_000, new(int64(0))
	p.Rerun = new(true)
	p.Events = []string{EventStarted, EventProgress, EventOutput, EventRetrying, EventUpdated, EventFinished}
	p.OnDisconnect = OnDisconnectCancel
	p.Retry = fullRetry()
	p.Dedupe = &Dedupe{Key: "lint", On: DedupeReject, WindowMs: 1000}
	p.DryRun = true
	return p
}

func fullInitialize() InitializeParams {
	return InitializeParams{ClientInfo: &ClientInfo{Name: "demo-editor", Version: "2.1"}, ProtocolVersion: "1"}
}

func exampleInitialized() InitializeResult {
	return InitializeResult{
		ServerInfo: ServerInfo{Name: "jobline", Version: "0.1.0", PID: 4700}, ProtocolVersion: ProtocolVersion,
		Capabilities: Capabilities{Shared: true, Durable: true}, Limits: map[string]int64{"running": 2, "queued": 1_000_000}, Seq: 1234,
	}
}

func fullSubscribe() SubscribeParams {
	return SubscribeParams{
		After: new(uint64(41)), Types: []string{"sleep"}, States: []State{Running, Failed}, Labels: map[string]string{"project": "demo"},
		IDs: ids(exampleID), Events: []string{EventStarted, EventFinished},
	}
}

func exampleStats() StatsResult {
	return StatsResult{
		Version: "0.1.0", Store: StoreStats{Name: "sqlite", Durable: true, File: "/var/lib/demo/tasks.db", Fault: "no space left on device"}, UptimeMs: 61_000, StartedAt: exampleStart, PID: 4700, Connections: 3,
		Tasks:  TaskCounts{Queued: 1, Running: 2, Completed: 3, Failed: 4, Cancelled: 5},
		Totals: TaskTotals{Submitted: 16, Completed: 3, Failed: 4, Cancelled: 5, Evicted: 1},
		Stuck:  1, ShuttingDown: true, Rates: Rates{SubmittedPerSecond: 0.25, FinishedPerSecond: 0.2},
		Connection: ConnectionStats{PendingWaits: 1, PendingBytes: 1100, UnsentBytes: 512},
		Limits:     map[string]int64{"running": 2, "queued": 1_000_000},
	}
}

func exampleTypes() TypesResult {
	object := jsontext.Value(`{"type":"object","additionalProperties":false}`)
	return TypesResult{Types: []TypeInfo{{
		Name: "noop", Aliases: []string{"nothing"}, Description: "Does nothing.", InputSchema: object,
		ResultSchema: object, Idempotent: true, Source: "builtin",
	}}}
}

func exampleRetrying() RetryingEvent {
	e := &TaskError{Kind: KindExit, Message: "exited with code 1", ExitCode: new(1)}
	return RetryingEvent{ID: exampleID, Seq: 5, Attempt: 1, Error: e, RunAt: exampleStart + 2_001_500}
}

func exampleUpdatedEvent() UpdatedEvent {
	return UpdatedEvent{
		ID: exampleID, Seq: 5, Priority: 10, Labels: map[string]string{"build": "8"},
		Conditions: &Conditions{RunAt: exampleStart + 2_001_500, Group: "nightly"}, RunAt: exampleStart + 30_000_000,
	}
}

func fullRetry() *Retry {
	return &Retry{MaxAttempts: 3, DelayMs: new(int64(0)), Factor: 1.5, MaxDelayMs: 60_000, Jitter: new(0.5), On: []ErrorKind{KindExit, KindTimeout}}
}

func exampleFinished() FinishedEvent { return FinishedEvent{Task: completedTask(), Seq: 7} }

func exampleGroup() Group {
	return Group{Name: "deploys", Limit: 2, Rate: &Rate{Count: 10, PerMs: 60_000}, Running: 2, Ready: 1, Defaults: &GroupDefaults{Priority: 5, TimeoutMs: 600_000}}
}

func exampleGroups() GroupsResult {
	return GroupsResult{Groups: []Group{exampleGroup()}, Resources: []Resource{{Name: "gpu", Total: 2, Used: 1}}}
}

func exampleWaiting() []Waiting {
	return []Waiting{{Kind: WaitsForDependency, IDs: ids(exampleID), Count: 1, Message: "comes after " + exampleID.String()}}
}

func exampleUpdated() Task {
	at := exampleStart + 600_000_000
	return Task{
		ID: exampleID, Type: "noop", Priority: 100, Labels: map[string]string{"project": "demo"}, CreatedAt: exampleStart, Conditions: &Conditions{RunAt: at},
		WaitingFor: []Waiting{{Kind: WaitsForTime, Until: at, Message: "runs at " + at.String()}},
	}
}

func exampleRetried() Task {
	return Task{ID: otherID, Type: "noop", Labels: map[string]string{"project": "demo"}, CreatedAt: exampleStart, Conditions: &Conditions{RetryOf: exampleID}}
}

func exampleExplained() ExplainResult {
	t := runningTask()
	return ExplainResult{Chain: []Link{
		{ID: otherID, Type: "noop", Labels: map[string]string{}, WaitingFor: exampleWaiting()},
		{ID: t.ID, Type: t.Type, State: t.State, Labels: t.Labels, StartedAt: t.StartedAt},
	}}
}

func exampleScheduleParams() ScheduleParams {
	return ScheduleParams{
		Name: "import", Cron: "30 2 * * *", TimeZone: "Europe/Berlin",
		Submit:  ScheduledSubmit{Type: "exec", Input: jsontext.Value(`{"argv":["./import"]}`)},
		Overlap: OverlapSkip, Missed: MissedOne, JitterMs: 60_000,
	}
}

func exampleSchedule() Schedule {
	return Schedule{
		ScheduleParams: exampleScheduleParams(), CreatedAt: exampleStart, NextAt: exampleStart + 86_400_000_000,
		Last:    &ScheduledTask{DueAt: exampleStart, ID: exampleID, State: new(Completed)},
		Skipped: &SkippedTime{DueAt: exampleStart, Reason: "it was missed: nothing could be submitted then"},
	}
}
