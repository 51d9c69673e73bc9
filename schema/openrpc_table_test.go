package schema

import (
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// described is a method or a notification as the OpenRPC document tells it. A
// method without a result is a notification.
type described struct {
	name, summary, description string
	params, result             reflect.Type
	resultSummary              string
	errors                     []Code
	examples                   []example
}

// example is a call. Params and result are Go values, or nil.
type example struct {
	name           string
	params, result any
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

// calls are what a client sends.
var calls = []described{
	{
		name: MethodInitialize, summary: "Introduce the client, and learn what the server is.",
		description: "Optional, at any time, once. Members other than these are ignored, so that a language client can send what it sends to any server.",
		params:      typeOf[InitializeParams](), result: typeOf[InitializeResult](), resultSummary: "what the server is",
		errors:   []Code{CodeInvalidParams, CodeInvalidRequest, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{{"an editor", fullInitialize(), exampleInitialized()}},
	},
	{
		name: MethodSubmit, summary: "Ask for one run of a task type.",
		description: "The reply comes when the task is recorded, before any notification of it. With an id that is known the same type and input answer with the task as it is and existing: true; another type or input is idConflict. A task that fails is a result, never an error. With dryRun nothing is recorded, and the answer is the task as it would be.",
		params:      typeOf[SubmitParams](), result: typeOf[SubmitResult](), resultSummary: "the task",
		errors: []Code{CodeInvalidParams, CodeUnknownType, CodeIDConflict, CodeQueueFull, CodeShuttingDown, CodeNotPermitted, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{
			{"a task with an id", exampleSubmit(), SubmitResult{Task: exampleTask()}},
			{"the same again", exampleSubmit(), SubmitResult{Task: runningTask(), Existing: true}},
		},
	},
	{
		name: MethodStatus, summary: "Show one task.",
		params: typeOf[StatusParams](), result: typeOf[Task](), resultSummary: "the task",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeStoreUnavailable},
		examples: []example{{"a running task", StatusParams{ID: exampleID}, runningTask()}},
	},
	{
		name: MethodCancel, summary: "Ask for a task to stop.",
		description: "A queued task never runs. A running one is told to stop, and killed or given up after its grace. A final one stays as it is.",
		params:      typeOf[CancelParams](), result: typeOf[CancelResult](), resultSummary: "what the cancel met",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeStoreUnavailable},
		examples: []example{{"a running task", CancelParams{ID: exampleID, Reason: "no longer needed"}, CancelResult{Outcome: OutcomeCancelling, Task: runningTask()}}},
	},
	{
		name: MethodShutdown, summary: "End the server, or this connection of a shared one.",
		description: "From the moment it is read no submit is admitted. The reply is the last message of the connection. A second shutdown may escalate. With scope connection the tasks go on, but for mode cancel, which cancels those that this connection has submitted.",
		params:      typeOf[ShutdownParams](), result: typeOf[ShutdownResult](), resultSummary: "what became of the tasks",
		errors:   []Code{CodeInvalidParams, CodeQueueFull},
		examples: []example{{"run all that is accepted", ShutdownParams{Mode: ShutdownDrain, TimeoutMs: 60_000}, ShutdownResult{Completed: 3, Left: 1}}},
	},
	{
		name: MethodWait, summary: "Wait until tasks are final.",
		description: "A time-out is a result with timedOut: true. The task/finished of a task comes before the reply.",
		params:      typeOf[WaitParams](), result: typeOf[WaitResult](), resultSummary: "the tasks",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeQueueFull, CodeTooLarge, CodeRequestCancelled, CodeStoreUnavailable},
		examples: []example{{"one task", WaitParams{IDs: ids(exampleID), TimeoutMs: new(int64(5000))}, WaitResult{Tasks: []Task{completedTask()}}}},
	},
	{
		name: MethodList, summary: "Select tasks, page by page.",
		description: "All that is given must hold; since counts what was submitted at that time, until does not. A page can be short of the limit and yet have a nextCursor; pages are stable while tasks come and go.",
		params:      typeOf[ListParams](), result: typeOf[ListResult](), resultSummary: "a page of tasks",
		errors:   []Code{CodeInvalidParams, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{{"the running tasks of a project", ListParams{States: []State{Running}, Labels: map[string]string{"project": "demo"}}, ListResult{Tasks: []Task{runningTask()}}}},
	},
	{
		name: MethodSubscribe, summary: "Follow the events of tasks, whoever submitted them.",
		description: "All that is given must hold; nothing is every task. Each event is sent once, whatever asks for it. With after it first sends what each task had since: task/finished, or task/started where it runs, and behind them subscription/replayed.",
		params:      typeOf[SubscribeParams](), result: typeOf[SubscribeResult](), resultSummary: "the subscription",
		errors: []Code{CodeInvalidParams, CodeQueueFull, CodeTooLarge, CodeStoreUnavailable, CodeEventsGone},
		examples: []example{
			{"all tasks from now on", SubscribeParams{}, SubscribeResult{Subscription: 1, Seq: 1234}},
			{"what a project missed", fullSubscribe(), SubscribeResult{Subscription: 2, Seq: 1234, Gap: true}},
		},
	},
	{
		name: MethodUnsubscribe, summary: "End a subscription of this connection.",
		description: "Events that have happened already may still come.",
		params:      typeOf[UnsubscribeParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams},
		examples: []example{{"the first", UnsubscribeParams{Subscription: 1}, Empty{}}},
	},
	{
		name: MethodOutput, summary: "Read what a task has written.",
		params: typeOf[OutputParams](), result: typeOf[OutputResult](), resultSummary: "a piece of the stream",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeStoreUnavailable},
		examples: []example{{"the end of stdout", OutputParams{ID: exampleID, TailBytes: new(int64(100))}, OutputResult{Data: "done\n", Encoding: EncodingUTF8, Offset: 7, NextOffset: 12, EOF: true}}},
	},
	{
		name: MethodInput, summary: "Send bytes to a running task, as to the stdin of a command.",
		description: "It answers when the bytes wait for the task to read them, in the order of the requests. Where too many wait already it is queueFull, and nothing was sent.",
		params:      typeOf[InputParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeNotPermitted, CodeQueueFull, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{{"the last line", InputParams{ID: exampleID, Data: "yes\n", Close: true}, Empty{}}},
	},
	{
		name: MethodSignal, summary: "Send a signal to all processes of a running command, which does not cancel it.",
		description: "A task that STOP has stopped is shown with stopped: true until CONT. Its time-out runs, and a cancel ends it.",
		params:      typeOf[SignalParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeNotPermitted, CodeQueueFull, CodeStoreUnavailable},
		examples: []example{{"stop it for a while", SignalParams{ID: exampleID, Signal: SignalStop}, Empty{}}},
	},
	{
		name: MethodResize, summary: "Set the size of the terminal of a running command.",
		params: typeOf[ResizeParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeNotPermitted, CodeStoreUnavailable},
		examples: []example{{"a window", ResizeParams{ID: exampleID, Rows: 24, Columns: 80}, Empty{}}},
	},
	{
		name: MethodExplain, summary: "Say why a task waits, down to what holds it all up.",
		description: "Each link is a task; the next one is the first task that its waitingFor names. All of a chain was true at one moment, unless tasks ended while it was read.",
		params:      typeOf[ExplainParams](), result: typeOf[ExplainResult](), resultSummary: "the chain",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeStoreUnavailable},
		examples: []example{{"a task that comes after a running one", ExplainParams{ID: otherID}, exampleExplained()}},
	},
	{
		name: MethodRetry, summary: "Submit tasks again that have ended.",
		description: "Each becomes a new task with the type, input, priority, labels, group, key, needs and retry of the old one. It waits for no time. Where it came after another of these tasks it comes after the new one; of others only those that have not ended count. With several ids a completed task is refused, unless force is given. All are submitted, or none.",
		params:      typeOf[RetryParams](), result: typeOf[RetryResult](), resultSummary: "the new tasks",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeUnknownType, CodeQueueFull, CodeShuttingDown, CodeNotPermitted, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{{"a task, and what failed because of it", RetryParams{ID: exampleID, Dependents: true}, RetryResult{Tasks: []Task{exampleRetried()}}}},
	},
	{
		name: MethodUpdate, summary: "Change a task that waits.",
		description: "What is left out stays as it is, and so does its place among tasks of the same priority. Labels are added to those that there are. One that has begun does not expire, and its runAt is the time of its next attempt.",
		params:      typeOf[UpdateParams](), result: typeOf[Task](), resultSummary: "the task after the change",
		errors:   []Code{CodeInvalidParams, CodeTaskNotFound, CodeNotQueued, CodeTooLarge, CodeStoreUnavailable},
		examples: []example{{"first of all, in ten minutes", UpdateParams{ID: exampleID, Priority: new(100), DelayMs: new(int64(600_000))}, exampleUpdated()}},
	},
	{
		name: MethodGroups, summary: "Show the groups and the resources, and whether everything is paused.",
		description: "Groups come page by page, sorted by name.",
		params:      typeOf[GroupsParams](), result: typeOf[GroupsResult](), resultSummary: "the groups",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable},
		examples: []example{{"one group", GroupsParams{}, exampleGroups()}},
	},
	{
		name: MethodSetGroup, summary: "Change the settings of a group, which are stored.",
		description: "What is left out stays as it is. Tasks that run go on. A group is made by its first task, or by this.",
		params:      typeOf[SetGroupParams](), result: typeOf[Group](), resultSummary: "the group",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable, CodeShuttingDown},
		examples: []example{{"two at a time, and ten in a minute", SetGroupParams{Name: "deploys", Limit: new(2), Paused: new(false), Rate: &Rate{Count: 10, PerMs: 60_000}, Defaults: exampleGroup().Defaults}, exampleGroup()}},
	},
	{
		name: MethodPause, summary: "Let no task begin, or none of a group, until resume. It is stored.",
		description: "Tasks that run go on, and submit is as before.",
		params:      typeOf[PauseParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable, CodeShuttingDown},
		examples: []example{{"everything", PauseParams{}, Empty{}}, {"a group", PauseParams{Group: "deploys"}, Empty{}}},
	},
	{
		name: MethodResume, summary: "Undo pause. A group that was paused by itself stays paused when everything is resumed.",
		params: typeOf[PauseParams](), result: typeOf[Empty](), resultSummary: "nothing",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable, CodeShuttingDown},
		examples: []example{{"everything", PauseParams{}, Empty{}}},
	},
	{
		name: MethodSchedule, summary: "Make a schedule, or change the one with the name. It is stored.",
		description: "A task is submitted for each due time, as submit says, and one alone: its id follows from the name and the due time. Its labels have schedule, the name, and owner, schedule. A change is not counted as a missed due time, and runs none twice. Where nothing is other than before, nothing changes.",
		params:      typeOf[ScheduleParams](), result: typeOf[Schedule](), resultSummary: "the schedule",
		errors:   []Code{CodeInvalidParams, CodeUnknownType, CodeNotPermitted, CodeTooLarge, CodeShuttingDown, CodeStoreUnavailable},
		examples: []example{{"an import at night", exampleScheduleParams(), exampleSchedule()}},
	},
	{
		name: MethodUnschedule, summary: "Remove a schedule. Its tasks stay.",
		params: typeOf[UnscheduleParams](), result: typeOf[UnscheduleResult](), resultSummary: "whether there was one",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable, CodeShuttingDown},
		examples: []example{{"the import", UnscheduleParams{Name: "import"}, UnscheduleResult{Existed: true}}},
	},
	{
		name: MethodSchedules, summary: "Show the schedules: when each is due next, and what became of its last task.",
		description: "Schedules come page by page, sorted by name.",
		params:      typeOf[SchedulesParams](), result: typeOf[SchedulesResult](), resultSummary: "the schedules",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable},
		examples: []example{{"one schedule", SchedulesParams{}, SchedulesResult{Schedules: []Schedule{exampleSchedule()}}}},
	},
	{
		name: MethodExecutors, summary: "Show the executors that run tasks of the store.",
		description: "Several share a store of many machines. Any other store has one.",
		params:      typeOf[Empty](), result: typeOf[ExecutorsResult](), resultSummary: "the executors, sorted by name",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable},
		examples: []example{{"two machines", Empty{}, exampleExecutors()}},
	},
	{
		name: MethodDrain, summary: "Let an executor begin no task any more, or begin tasks again.",
		description: "What runs on it goes on, and what waits goes to the others. It is for a store of many machines.",
		params:      typeOf[DrainParams](), result: typeOf[DrainResult](), resultSummary: "the executor as it is then",
		errors: []Code{CodeInvalidParams, CodeNotPermitted, CodeStoreUnavailable},
		examples: []example{{
			"before an upgrade", DrainParams{Executor: exampleExecutors().Executors[0].Name, End: true}, DrainResult{drainedExample()},
		}},
	},
	{
		name: MethodOutbox, summary: "List the submits that wait on this machine, or were refused.",
		description: "They are in the file of `serve --outbox`, because a store of many machines could not be reached. Without that file there are none.",
		params:      typeOf[OutboxParams](), result: typeOf[OutboxResult](), resultSummary: "a page of the submits, in the order in which they are sent",
		errors:   []Code{CodeInvalidParams},
		examples: []example{{"one waits, and one was refused", OutboxParams{}, exampleOutbox()}},
	},
	{
		name: MethodResend, summary: "Send submits of the outbox again that were refused.",
		description: "Each is sent in its old place. What was not refused stays as it is.",
		params:      typeOf[ResendParams](), result: typeOf[ResendResult](), resultSummary: "how many are sent again",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable},
		examples: []example{{"all of them", ResendParams{}, ResendResult{Resent: 1}}},
	},
	{
		name: MethodTypes, summary: "List the task types on offer.",
		params: typeOf[Empty](), result: typeOf[TypesResult](), resultSummary: "the task types, sorted by name",
		errors:   []Code{CodeInvalidParams},
		examples: []example{{"one type", Empty{}, exampleTypes()}},
	},
	{
		name: MethodStats, summary: "Show the state of the server in numbers.",
		params: typeOf[Empty](), result: typeOf[StatsResult](), resultSummary: "the numbers",
		errors:   []Code{CodeInvalidParams, CodeStoreUnavailable},
		examples: []example{{"a server at work", Empty{}, exampleStats()}},
	},
	{
		name: MethodDiscover, summary: "Show this document.",
		params: typeOf[Empty](), result: typeOf[map[string]jsontext.Value](), resultSummary: "the OpenRPC document",
		errors: []Code{CodeInvalidParams},
	},
	{
		name: MethodCancelRequest, summary: "End a pending request of this connection, which answers requestCancelled. It touches no task.",
		params:   typeOf[CancelRequestParams](),
		examples: []example{{"a pending wait", CancelRequestParams{ID: jsontext.Value("7")}, nil}},
	},
	{
		name: MethodExit, summary: "End the server as shutdown with mode cancel does, or this connection of a shared one as with mode drain, without a reply.",
		params:   typeOf[ExitParams](),
		examples: []example{{"end", ExitParams{}, nil}, {"end all", ExitParams{Scope: ScopeExecutor}, nil}},
	},
}

// notifications are what the server sends.
var notifications = []described{
	{
		name: NotifyStarted, summary: "An attempt of a task began.", params: typeOf[StartedEvent](),
		examples: []example{{"a command", StartedEvent{ID: exampleID, Seq: 1, Attempt: 1, StartedAt: exampleStart + 1500, PID: 4711}, nil}},
	},
	{
		name: NotifyProgress, summary: "The newest progress of a task, at most once in 100 ms.", params: typeOf[ProgressEvent](),
		examples: []example{{"a quarter", ProgressEvent{ID: exampleID, Seq: 2, Progress: *runningTask().Progress}, nil}},
	},
	{
		name: NotifyOutput, summary: "A piece of a stream of a task.", params: typeOf[OutputEvent](),
		examples: []example{{"a line", OutputEvent{ID: exampleID, Seq: 3, Stream: Stdout, Offset: 7, Data: "done\n", Encoding: EncodingUTF8, Gap: 2}, nil}},
	},
	{
		name: NotifyRetrying, summary: "An attempt of a task has failed, and another one follows.", params: typeOf[RetryingEvent](),
		examples: []example{
			{"a command", exampleRetrying(), nil},
			{"a task that has put itself off", RetryingEvent{ID: exampleID, Seq: 7, Attempt: 1, RunAt: exampleStart + 30_000_000}, nil},
		},
	},
	{
		name: NotifyUpdated, summary: "A task that waits was changed by update.", params: typeOf[UpdatedEvent](),
		examples: []example{{"another time and group", exampleUpdatedEvent(), nil}},
	},
	{
		name: NotifyFinished, summary: "A task is final. Nothing comes after it.", params: typeOf[FinishedEvent](),
		examples: []example{{"a completed task", exampleFinished(), nil}},
	},
	{
		name: NotifyReplayed, summary: "A subscription has been sent what it asked for of the past.", params: typeOf[ReplayedEvent](),
		examples: []example{
			{"all of it", ReplayedEvent{Subscription: 2, Seq: 1234}, nil},
			{"but for what was no longer kept", ReplayedEvent{Subscription: 2, Seq: 1234, Missed: &Missed{After: 41, Through: 99}}, nil},
		},
	},
	{
		name: NotifyShuttingDown, summary: "The shared executor is about to end, because of another connection or of the system.", params: typeOf[ShuttingDownEvent](),
		examples: []example{{"another client has asked for it", ShuttingDownEvent{Mode: "drain", Reason: "asked for by demo-editor"}, nil}},
	},
}

// components are the types that the document refers to by name, with what
// they are.
var components = map[reflect.Type]string{
	typeOf[Task]():             "One submission of a task type.",
	typeOf[Progress]():         "How far a running task has come.",
	typeOf[OutputBytes]():      "How much a task has written to each stream.",
	typeOf[TaskError]():        "Why a task failed or was cancelled.",
	typeOf[InitializeResult](): "What the server is.",
	typeOf[ClientInfo]():       "Who the client is.",
	typeOf[ServerInfo]():       "Who the server is.",
	typeOf[Capabilities]():     "What the server does.",
	typeOf[SubmitResult]():     "The task, and whether its id was known already.",
	typeOf[CancelResult]():     "What the cancel met.",
	typeOf[ShutdownResult]():   "What became of the tasks that were not final.",
	typeOf[WaitResult]():       "The tasks in the order asked.",
	typeOf[ListResult]():       "A page of tasks.",
	typeOf[SubscribeResult]():  "A subscription.",
	typeOf[Missed]():           "A range of sequence numbers.",
	typeOf[OutputResult]():     "A piece of a stream.",
	typeOf[Conditions]():       "What a task waits for before it may run.",
	typeOf[Waiting]():          "Something that a queued task waits for.",
	typeOf[ExplainResult]():    "Why a task waits.",
	typeOf[Link]():             "A task of a chain of tasks that wait for each other.",
	typeOf[GroupsResult]():     "The groups and the resources.",
	typeOf[Group]():            "A group of tasks.",
	typeOf[GroupDefaults]():    "What a group gives to its tasks.",
	typeOf[Dedupe]():           "What becomes of a submit while there is a task of the same dedupe key.",
	typeOf[Retry]():            "Whether and when a task is tried again after an attempt that has failed.",
	typeOf[Attempt]():          "One run of a task.",
	typeOf[AttemptOutput]():    "Where in each stream of its task an attempt has written.",
	typeOf[Span]():             "The bytes of a stream with from <= offset < to.",
	typeOf[Rate]():             "How many tasks may begin in a time.",
	typeOf[Resource]():         "Something that tasks need while they run.",
	typeOf[ScheduledSubmit]():  "The submit of each task of a schedule.",
	typeOf[Schedule]():         "A schedule.",
	typeOf[ScheduledTask]():    "A task of a schedule.",
	typeOf[SkippedTime]():      "A due time for which there was no task.",
	typeOf[UnscheduleResult](): "Whether there was a schedule of the name.",
	typeOf[SchedulesResult]():  "A page of schedules.",
	typeOf[TypesResult]():      "The task types on offer.",
	typeOf[TypeInfo]():         "A task type.",
	typeOf[StatsResult]():      "The state of the server in numbers.",
	typeOf[StoreStats]():       "Where tasks are recorded.",
	typeOf[TaskCounts]():       "Tasks by state.",
	typeOf[TaskTotals]():       "Tasks since the start of the process.",
	typeOf[Rates]():            "Means over the last minute.",
	typeOf[ConnectionStats]():  "Of the connection that asked.",
	typeOf[ErrorData]():        "The data of every error.",
	typeOf[Violation]():        "One way in which a value breaks its schema.",
}

func exampleExecutors() ExecutorsResult {
	of := func(host string, running int) ExecutorInfo {
		return ExecutorInfo{
			Name: host + "/4711", Host: host, PID: 4711, Self: running == 0, Limit: 8, Types: []string{"exec"}, Running: running,
			Since: 1767225600000000, BeatAt: 1767225660000000,
		}
	}
	return ExecutorsResult{Executors: []ExecutorInfo{of("north", 0), of("south", 8)}}
}

func drainedExample() ExecutorInfo {
	e := exampleExecutors().Executors[0]
	e.Draining, e.Ending = true, true
	return e
}

func exampleOutbox() OutboxResult {
	return OutboxResult{
		OutboxState: OutboxState{File: "/home/ada/outbox.db", Waiting: 1, Refused: 1},
		Entries: []OutboxEntry{
			{ID: exampleID, Type: "noop", Labels: map[string]string{"build": "7"}, CreatedAt: exampleStart, Refused: "the queue is full"},
			{ID: otherID, Type: "noop", Labels: map[string]string{}, CreatedAt: exampleStart, Sending: true},
		},
	}
}
