// The types of the jobline protocol, version 1.
// Generated from the Go types: go test ./schema -update. Do not edit.

/** What a cancel met. */
export type CancelOutcome = "cancelled" | "cancelling" | "alreadyFinished";

/** What becomes of a submit that is a duplicate. */
export type DedupeOn = "reuse" | "reject" | "replace";

/** How bytes became a string. */
export type Encoding = "utf8" | "base64";

/** The class of a task's error. */
export type ErrorKind = "taskError" | "exit" | "signal" | "spawn" | "timeout" | "panic" | "invalidResult" | "interrupted" | "cancelled" | "expired" | "dependency";

/** By time of creation. */
export type ListOrder = "newest" | "oldest";

/** What becomes of a task when the connection that submitted it has ended. */
export type OnDisconnect = "keep" | "cancel";

/** What becomes of the tasks that are not final. */
export type ShutdownMode = "drain" | "finish" | "cancel";

/** What a shutdown ends. */
export type ShutdownScope = "connection" | "executor";

/** The name of a signal, without SIG before it. */
export type Signal = "INT" | "TERM" | "HUP" | "QUIT" | "USR1" | "USR2" | "STOP" | "CONT" | "WINCH";

/** Where a task is in its life. */
export type State = "queued" | "running" | "completed" | "failed" | "cancelled";

/** An output of a task. */
export type Stream = "stdout" | "stderr" | "log";

/** A time of RFC 3339. The server writes UTC with microseconds. */
export type Time = string;

/** A UUID of 36 characters: 8-4-4-4-12. */
export type UUID = string;

/** How many of the tasks must be final. */
export type WaitUntil = "all" | "any";

/** What a queued task waits for. */
export type WaitingKind = "slot" | "time" | "retry" | "dependency" | "key" | "group" | "rate" | "resource" | "paused" | "type" | "executor" | "outbox";

/** One run of a task. */
export interface Attempt {
  /** which run of the task it was */
  attempt: number;
  /** when it began */
  startedAt: Time;
  /** when it ended; absent while it runs */
  finishedAt?: Time;
  /** why it failed; only then */
  error?: TaskError;
  /** the executor that ran it, where several share the store */
  ranOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** where in each stream is what it wrote; absent where it wrote nothing */
  output?: AttemptOutput;
}

/** Where in each stream of its task an attempt has written. */
export interface AttemptOutput {
  /** of stdout */
  stdout: Span;
  /** of stderr */
  stderr: Span;
  /** of the log */
  log: Span;
}

/** The params of cancel. */
export interface CancelParams {
  /** the id of the task */
  id: UUID;
  /** why, for the record */
  reason?: string;
  /** whether to skip the grace */
  force?: boolean;
}

/** End a pending request of this connection, which answers requestCancelled. It touches no task. */
export interface CancelRequestParams {
  /** the id of a pending request of this connection */
  id: unknown;
}

/** What the cancel met. */
export interface CancelResult {
  /** what the cancel met: a queued task is cancelled, a running one is cancelling, a final one alreadyFinished */
  outcome: CancelOutcome;
  /** the task after the cancel */
  task: Task;
}

/** What the server does. */
export interface Capabilities {
  /** whether the executor serves other connections, too: then shutdown and exit end this connection alone, unless their scope says otherwise */
  shared: boolean;
  /** whether tasks outlive the process of the server */
  durable: boolean;
}

/** Who the client is. */
export interface ClientInfo {
  /** the name of the client */
  name: string;
  /** the version of the client */
  version?: string;
}

/** What a task waits for before it may run. */
export interface Conditions {
  /** the task does not run before this time */
  runAt?: Time;
  /** if the task has not started by then, it fails with kind expired */
  expiresAt?: Time;
  /** the tasks that must end before this one may run: ids, each with how its task must end behind a colon: success, which is the default, failure or finish */
  after?: string[];
  /** the group in which the task counts; a group has a limit and a rate, and can be paused */
  group?: string;
  /** tasks of one key run one at a time, in the order of their submits */
  key?: string;
  /** how much of each resource the task has while it runs; it starts when all of it is free */
  needs?: Record<string, number>;
  /** the labels that an executor must have to run the task, as serve --label gives them: each with this value */
  on?: Record<string, string>;
  /** whether and when the task is tried again after an attempt that has failed; where absent as the type says */
  retry?: Retry;
  /** what becomes of the submit while there is a task of the same dedupe key */
  dedupe?: Dedupe;
  /** the task of which this one is a part: where that is cancelled, so is this one */
  parent?: UUID;
  /** the task of which this one is another run, as a note */
  retryOf?: UUID;
}

/** Of the connection that asked. */
export interface ConnectionStats {
  /** wait requests not yet answered */
  pendingWaits: number;
  /** bytes that requests hold that are not answered yet */
  pendingBytes: number;
  /** bytes that wait for the client to read them */
  unsentBytes: number;
}

/** What becomes of a submit while there is a task of the same dedupe key. */
export interface Dedupe {
  /** tasks that say the same here are duplicates of each other, whatever their types and inputs */
  key: string;
  /** what becomes of the submit while there is such a task: reuse answers with that task, reject refuses the submit, replace cancels that task and runs this one after its end */
  on?: DedupeOn;
  /** a task of the key that has completed counts for so many milliseconds after its end, as long as it is kept; 0 counts only tasks that have not ended */
  windowMs?: number;
}

/** The params of drain. */
export interface DrainParams {
  /** the name of the executor, its machine and process as HOST/PID, or a machine on which it is the only one */
  executor: string;
  /** its server ends, as by shutdown, when what it runs has ended */
  end?: boolean;
  /** it begins tasks again */
  undo?: boolean;
}

/** Nothing: {}. */
export type Empty = Record<string, never>;

/** The data of every error. */
export interface ErrorData {
  /** the name of the code */
  kind: string;
  /** whether the same request may succeed later */
  retryable: boolean;
  /** how params or input break their schema; of -32602 */
  violations?: Violation[];
  /** the limit that was passed; of tooLarge and queueFull */
  limit?: number;
  /** the least seq to subscribe after; of eventsGone */
  oldest?: number;
  /** known names close to an unknown one */
  suggestions?: string[];
  /** whether it is not known if the change is done; of storeUnavailable */
  outcomeUnknown?: boolean;
  /** the task that is there already; of duplicate */
  id?: UUID;
}

/** End the server as shutdown with mode cancel does, or this connection of a shared one as with mode drain, without a reply. */
export interface ExitParams {
  /** what ends, as the scope of shutdown */
  scope?: ShutdownScope;
}

/** The params of explain. */
export interface ExplainParams {
  /** the id of the task */
  id: UUID;
}

/** Why a task waits. */
export interface ExplainResult {
  /** the task, the task that it waits for, and so on: the last waits for no other task, and holds them all up; at most 100 */
  chain: Link[];
  /** whether the chain is longer, so that the last in it waits for another task */
  truncated?: boolean;
}

/** A task is final. Nothing comes after it. */
export interface FinishedEvent {
  /** the id of the task */
  id: UUID;
  /** the name of the task type */
  type: string;
  /** where the task is in its life; completed, failed and cancelled are final */
  state: State;
  /** higher runs first */
  priority: number;
  /** which run of the task this is; 0 before the first */
  attempt: number;
  /** the labels it was submitted with, and the label owner */
  labels: Record<string, string>;
  /** when it was submitted */
  createdAt: Time;
  /** when its newest attempt began */
  startedAt?: Time;
  /** when it became final */
  finishedAt?: Time;
  /** when a cancel was first asked for */
  cancelRequestedAt?: Time;
  /** the reason given with the cancel */
  cancelReason?: string;
  /** the newest progress */
  progress?: Progress;
  /** what the task returned; only when completed */
  result?: unknown;
  /** why it failed or was cancelled; only then */
  error?: TaskError;
  /** how much it has written to each stream */
  outputBytes?: OutputBytes;
  /** its input; only where asked for */
  input?: unknown;
  /** what it was submitted to wait for */
  conditions?: Conditions;
  /** what a queued task waits for at the moment; all of it is true */
  waitingFor?: Waiting[];
  /** its latest 20 attempts, the oldest first; only where asked for */
  attempts?: Attempt[];
  /** how many tasks are parts of it, by state; only where asked for, and where there are any; those that are no longer kept count until the task ends or the server restarts */
  children?: TaskCounts;
  /** how long it may take, and what becomes of it after a crash; only where asked for */
  terms?: {
    /** bounds each attempt, in milliseconds; absent is no bound */
    timeoutMs?: number;
    /** how long it may go on after it was told to stop, in milliseconds */
    graceMs: number;
    /** whether it runs again where nobody knows how its last attempt ended */
    rerun?: boolean;
  };
  /** the executor that runs it, where several share the store */
  runsOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** the executor that had it when it ended, where several share the store */
  ranOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** whether the method signal has stopped it; CONT lets it go on */
  stopped?: boolean;
  /** whether its result, labels and longer texts are left out, because the client was slow and the task was forgotten meanwhile */
  incomplete?: boolean;
  /** greater than that of every other notification of the task */
  seq: number;
}

/** A group of tasks. */
export interface Group {
  /** the name of the group */
  name: string;
  /** how many of its tasks run at once; absent for no limit */
  limit?: number;
  /** whether none of its tasks begins */
  paused?: boolean;
  /** how many of its tasks may begin in a time; absent for no limit */
  rate?: Rate;
  /** what its tasks have where neither their submit nor their type says; absent for nothing */
  defaults?: GroupDefaults;
  /** tasks of it that run */
  running: number;
  /** tasks of it that wait for nothing but their turn in the group, resources and a slot */
  ready: number;
}

/** What a group gives to its tasks. */
export interface GroupDefaults {
  /** the priority of a task that is submitted with none */
  priority?: number;
  /** bounds each attempt of a task that has no other time-out, in milliseconds */
  timeoutMs?: number;
  /** a task that has not started so many milliseconds after its submit, or after its runAt, fails with kind expired */
  expireMs?: number;
  /** the key of a task that has none */
  key?: string;
  /** what a task needs that does not say what it needs */
  needs?: Record<string, number>;
  /** the labels that an executor must have, of a task that does not say: each with this value */
  on?: Record<string, string>;
  /** whether and when a task is tried again that does not say */
  retry?: Retry;
}

/** The params of groups. */
export interface GroupsParams {
  /** the most groups to answer with */
  limit?: number;
  /** the nextCursor of the page before */
  cursor?: string;
}

/** The groups and the resources. */
export interface GroupsResult {
  /** whether everything is paused */
  paused: boolean;
  /** the groups that have settings, or tasks that run or are ready, sorted by name */
  groups: Group[];
  /** the resources that tasks can need, sorted by name */
  resources: Resource[];
  /** where to go on; absent at the end */
  nextCursor?: string;
}

/** The params of initialize. */
export interface InitializeParams {
  /** who the client is; the name becomes the label owner of the tasks that it submits */
  clientInfo?: ClientInfo;
  /** the version of the protocol that the client speaks, as 1 or 1.2; where absent it speaks that of the server */
  protocolVersion?: string;
}

/** What the server is. */
export interface InitializeResult {
  /** who the server is */
  serverInfo: ServerInfo;
  /** the version of the protocol that the server speaks */
  protocolVersion: string;
  /** what the server does */
  capabilities: Capabilities;
  /** the limits of the server, by name, as of stats */
  limits: Record<string, number>;
  /** the seq of the latest event; ask subscribe for what comes after it */
  seq: number;
}

/** The params of input. */
export interface InputParams {
  /** the id of the task */
  id: UUID;
  /** text to send; not with dataBase64 */
  data?: string;
  /** bytes to send, in base64; not with data */
  dataBase64?: string;
  /** whether the input ends behind this */
  close?: boolean;
}

/** A task of a chain of tasks that wait for each other. */
export interface Link {
  /** the id of the task */
  id: UUID;
  /** the name of the task type */
  type: string;
  /** where the task is in its life */
  state: State;
  /** the labels of the task */
  labels: Record<string, string>;
  /** when it began, where it runs or has run */
  startedAt?: Time;
  /** all that it waits for, where it is queued; the next of the chain is the first task that is named here */
  waitingFor?: Waiting[];
}

/** The params of list. */
export interface ListParams {
  /** only tasks in one of these states; absent for all */
  states?: State[];
  /** only tasks of one of these types; absent for all */
  types?: string[];
  /** only tasks that have all these labels */
  labels?: Record<string, string>;
  /** only tasks of this group */
  group?: string;
  /** only tasks of this key */
  key?: string;
  /** only tasks that are parts of this task: its children, and not theirs */
  parent?: UUID;
  /** only tasks that the executor with this name, or one on the machine with this name, runs or had when they ended, where several share the store */
  executor?: string;
  /** only tasks whose id begins or ends with this text of hexadecimal digits and hyphens, or whose last 8 digits begin with it */
  id?: string;
  /** only tasks submitted at this time or later */
  since?: Time;
  /** only tasks submitted before this time */
  until?: Time;
  /** by time of creation */
  order?: ListOrder;
  /** the most tasks to answer with */
  limit?: number;
  /** the nextCursor of the page before */
  cursor?: string;
}

/** A page of tasks. */
export interface ListResult {
  /** a page of tasks */
  tasks: Task[];
  /** where to go on; absent at the end */
  nextCursor?: string;
}

/** A range of sequence numbers. */
export interface Missed {
  /** tasks may be missing whose end, or start where they run, came after this seq */
  after: number;
  /** the last seq of which that is so */
  through: number;
}

/** The params of outbox. */
export interface OutboxParams {
  /** the most submits to answer with */
  limit?: number;
  /** the nextCursor of the page before */
  cursor?: string;
}

/** How much a task has written to each stream. */
export interface OutputBytes {
  /** bytes written to stdout, kept or not */
  stdout: number;
  /** bytes written to stderr, kept or not */
  stderr: number;
  /** bytes written to the log, kept or not */
  log: number;
}

/** A piece of a stream of a task. */
export interface OutputEvent {
  /** the id of the task */
  id: UUID;
  /** rises with every notification of the task */
  seq: number;
  /** the stream that was written to */
  stream: Stream;
  /** where in the stream data begins, in bytes */
  offset: number;
  /** at most 64 KiB of the stream */
  data: string;
  /** how the bytes became data; base64 where they are not UTF-8 */
  encoding: Encoding;
  /** bytes skipped just before offset because the client was slow */
  gap?: number;
}

/** The params of output. */
export interface OutputParams {
  /** the id of the task */
  id: UUID;
  /** the stream to read */
  stream?: Stream;
  /** where to begin, in bytes; not with tailBytes */
  offset?: number;
  /** how much of the end to read; not with offset */
  tailBytes?: number;
  /** the most bytes to answer with */
  limit?: number;
}

/** A piece of a stream. */
export interface OutputResult {
  /** the piece of the stream */
  data: string;
  /** how the bytes became data; base64 where they are not UTF-8 */
  encoding: Encoding;
  /** where in the stream data begins, in bytes */
  offset: number;
  /** where to go on */
  nextOffset: number;
  /** whether the task is final and the piece reaches the end */
  eof: boolean;
  /** the first offset that is still kept */
  truncatedBefore: number;
}

/** The params of pause. */
export interface PauseParams {
  /** the name of the group; absent for all tasks */
  group?: string;
}

/** How far a running task has come. */
export interface Progress {
  /** how far it has come; never falls within an attempt */
  progress: number;
  /** the progress at which it is done; absent where not known */
  total?: number;
  /** what is counted */
  unit?: string;
  /** what it is doing */
  message?: string;
}

/** The newest progress of a task, at most once in 100 ms. */
export interface ProgressEvent {
  /** the id of the task */
  id: UUID;
  /** rises with every notification of the task */
  seq: number;
  /** how far it has come; never falls within an attempt */
  progress: number;
  /** the progress at which it is done; absent where not known */
  total?: number;
  /** what is counted */
  unit?: string;
  /** what it is doing */
  message?: string;
}

/** How many tasks may begin in a time. */
export interface Rate {
  /** how many tasks may begin; 0 is no limit */
  count: number;
  /** within any so many milliseconds; more than 0 where there is a count */
  perMs?: number;
}

/** Means over the last minute. */
export interface Rates {
  /** tasks accepted in a second */
  submittedPerSecond: number;
  /** tasks finished in a second */
  finishedPerSecond: number;
}

/** A subscription has been sent what it asked for of the past. */
export interface ReplayedEvent {
  /** the subscription */
  subscription: number;
  /** how far the past went: the seq that subscribe has answered, or how far a slow client had fallen behind */
  seq: number;
  /** what of the past could not be sent; absent where nothing is missing */
  missed?: Missed;
}

/** The params of resend. */
export interface ResendParams {
  /** the tasks; where absent all that were refused */
  ids?: UUID[];
}

/** The params of resize. */
export interface ResizeParams {
  /** the id of the task */
  id: UUID;
  /** the height, in lines of text */
  rows: number;
  /** the width, in characters */
  columns: number;
}

/** Something that tasks need while they run. */
export interface Resource {
  /** the name of the resource */
  name: string;
  /** how much there is of it */
  total: number;
  /** how much of it tasks have that run */
  used: number;
}

/** Whether and when a task is tried again after an attempt that has failed. */
export interface Retry {
  /** how often the task runs at most, the first attempt included */
  maxAttempts: number;
  /** how long the task waits before the second attempt, in milliseconds */
  delayMs?: number;
  /** how many times as long it waits before each further attempt */
  factor?: number;
  /** how long it waits at most, in milliseconds */
  maxDelayMs?: number;
  /** the part of each wait that is left to chance, so that tasks which failed together are not tried again together: 0.1 makes it up to 10 % longer or shorter */
  jitter?: number;
  /** the kinds of errors after which the task is tried again; where absent those marked as retryable, and exit, signal, timeout and interrupted */
  on?: ErrorKind[];
}

/** The params of retry. */
export interface RetryParams {
  /** the id of the task; not with ids */
  id?: UUID;
  /** the ids of the tasks; not with id */
  ids?: UUID[];
  /** whether to run those again, too, that have failed because of the tasks, and so on */
  dependents?: boolean;
  /** whether to run those of ids again, too, that have completed, and those that have failed because of a task that does not run again */
  force?: boolean;
  /** the values that the inputs have hidden, by their names; the server no longer has them */
  hidden?: Record<string, string>;
  /** a UUID that the client has made for this request; where it is sent again, nothing is submitted twice, and the answer has the same tasks */
  requestId?: UUID;
}

/** An attempt of a task has failed, and another one follows. */
export interface RetryingEvent {
  /** the id of the task */
  id: UUID;
  /** rises with every notification of the task */
  seq: number;
  /** which run of the task has ended */
  attempt: number;
  /** why it failed; absent where the task has put itself off */
  error?: TaskError;
  /** when the next attempt may begin */
  runAt: Time;
}

/** A schedule. */
export interface Schedule {
  /** the name of the schedule, which is the label schedule of its tasks */
  name: string;
  /** when a task is due: minute, hour, day, month and weekday, as in crontab; L, W, # and names such as @daily, too */
  cron?: string;
  /** in place of cron: a task is due each time so many milliseconds have passed */
  everyMs?: number;
  /** the time zone of cron, by its name in the IANA database, as Europe/Berlin; UTC where absent */
  timeZone?: string;
  /** the submit of each task: what can be the same for each */
  submit: ScheduledSubmit;
  /** what happens where the last task has not ended when the next is due: skip makes none, queue lets the next wait for its end, replace cancels it */
  overlap?: "skip" | "queue" | "replace";
  /** what becomes of due times at which no server ran: skip makes no task for them, one makes one for the last of them, all makes one for each of the last 100, with overlap queue */
  missed?: "skip" | "one" | "all";
  /** each task runs up to so many milliseconds after it is due; how many follows from the name and the due time */
  jitterMs?: number;
  /** no task is due after it */
  until?: Time;
  /** when it was made */
  createdAt: Time;
  /** when the next task is due; absent where none is any more */
  nextAt?: Time;
  /** its last task; absent before the first */
  last?: ScheduledTask;
  /** the last due time for which there was no task */
  skipped?: SkippedTime;
  /** why it makes no tasks here, where it cannot */
  fault?: string;
}

/** The params of schedule. */
export interface ScheduleParams {
  /** the name of the schedule, which is the label schedule of its tasks */
  name: string;
  /** when a task is due: minute, hour, day, month and weekday, as in crontab; L, W, # and names such as @daily, too */
  cron?: string;
  /** in place of cron: a task is due each time so many milliseconds have passed */
  everyMs?: number;
  /** the time zone of cron, by its name in the IANA database, as Europe/Berlin; UTC where absent */
  timeZone?: string;
  /** the submit of each task: what can be the same for each */
  submit: ScheduledSubmit;
  /** what happens where the last task has not ended when the next is due: skip makes none, queue lets the next wait for its end, replace cancels it */
  overlap?: "skip" | "queue" | "replace";
  /** what becomes of due times at which no server ran: skip makes no task for them, one makes one for the last of them, all makes one for each of the last 100, with overlap queue */
  missed?: "skip" | "one" | "all";
  /** each task runs up to so many milliseconds after it is due; how many follows from the name and the due time */
  jitterMs?: number;
  /** no task is due after it */
  until?: Time;
}

/** The submit of each task of a schedule. */
export interface ScheduledSubmit {
  /** the name of a task type, or an alias */
  type: string;
  /** the input of each task, as the inputSchema of its type; {} where absent */
  input?: unknown;
  /** higher runs first; where absent that of the group, or 0 */
  priority?: number;
  /** bounds each attempt, in milliseconds; 0 is the time-out of the type, or else of the group, and -1 is none */
  timeoutMs?: number;
  /** how long a task may go on after it was told to stop, in milliseconds */
  graceMs?: number;
  /** whether a task may run again where the executor died while it ran; where absent as the type says */
  rerun?: boolean;
  /** labels of the tasks, beside schedule; at most 31, of 256 bytes each */
  labels?: Record<string, string>;
  /** the group in which the tasks count */
  group?: string;
  /** tasks of one key run one at a time, in the order of their submits */
  key?: string;
  /** the labels that an executor must have to run a task: each with this value */
  on?: Record<string, string>;
  /** how much of each resource a task has while it runs */
  needs?: Record<string, number>;
  /** whether and when a task is tried again after an attempt that has failed; where absent as the type says */
  retry?: Retry;
  /** a task fails if it has not started so many milliseconds after it was due and its jitter has passed; 0 is never */
  expireMs?: number;
}

/** A task of a schedule. */
export interface ScheduledTask {
  /** when it was due */
  dueAt: Time;
  /** the id of the task */
  id: UUID;
  /** where the task is in its life; absent where it is no longer kept */
  state?: State;
  /** why it failed or was cancelled; only then */
  error?: TaskError;
}

/** The params of schedules. */
export interface SchedulesParams {
  /** the most schedules to answer with */
  limit?: number;
  /** the nextCursor of the page before */
  cursor?: string;
}

/** A page of schedules. */
export interface SchedulesResult {
  /** the schedules, sorted by name */
  schedules: Schedule[];
  /** where to go on; absent at the end */
  nextCursor?: string;
}

/** Who the server is. */
export interface ServerInfo {
  /** jobline */
  name: string;
  /** the version of the program */
  version: string;
  /** the process id of the server */
  pid: number;
}

/** The params of setGroup. */
export interface SetGroupParams {
  /** the name of the group, as tasks give it */
  name: string;
  /** how many of its tasks run at once; 0 is no limit; as it was where absent */
  limit?: number;
  /** whether none of its tasks begins; as it was where absent */
  paused?: boolean;
  /** how many of its tasks may begin in a time; as it was where absent */
  rate?: Rate;
  /** what its tasks have where neither their submit nor their type says; {} for nothing; as it was where absent */
  defaults?: GroupDefaults;
}

/** The params of shutdown. */
export interface ShutdownParams {
  /** drain runs all that is queued and running, finish lets the running ones end, cancel cancels all */
  mode?: ShutdownMode;
  /** after so many milliseconds the running tasks are cancelled, and queued ones stay in a durable store; 0 is never */
  timeoutMs?: number;
  /** what ends: this connection, or the executor with all connections; where absent the connection if the executor is shared, else the executor */
  scope?: ShutdownScope;
}

/** What became of the tasks that were not final. */
export interface ShutdownResult {
  /** tasks completed since the shutdown was read */
  completed: number;
  /** tasks failed since */
  failed: number;
  /** tasks cancelled since */
  cancelled: number;
  /** tasks that stay in the store, or did not stop */
  left: number;
}

/** The shared executor is about to end, because of another connection or of the system. */
export interface ShuttingDownEvent {
  /** what becomes of the tasks, as the mode of shutdown; interrupt lets a durable store keep those that may go on later */
  mode: "drain" | "finish" | "interrupt" | "cancel";
  /** why, for a person */
  reason?: string;
}

/** The params of signal. */
export interface SignalParams {
  /** the id of the task */
  id: UUID;
  /** the name of the signal; STOP stops the task, and CONT lets it go on */
  signal: Signal;
}

/** A due time for which there was no task. */
export interface SkippedTime {
  /** when a task was due */
  dueAt: Time;
  /** why there was none, for a person */
  reason: string;
}

/** The bytes of a stream with from <= offset < to. */
export interface Span {
  /** the offset of its first byte */
  from: number;
  /** the offset after its last byte */
  to: number;
}

/** An attempt of a task began. */
export interface StartedEvent {
  /** the id of the task */
  id: UUID;
  /** rises with every notification of the task */
  seq: number;
  /** which run of the task began */
  attempt: number;
  /** when the attempt began */
  startedAt: Time;
  /** the process id of the command */
  pid?: number;
}

/** The state of the server in numbers. */
export interface StatsResult {
  /** the version of the server */
  version: string;
  /** where tasks are recorded */
  store: StoreStats;
  /** milliseconds since the start */
  uptimeMs: number;
  /** when the server started */
  startedAt: Time;
  /** the process id of the server */
  pid: number;
  /** connections that are open */
  connections: number;
  /** the tasks in the store, by state */
  tasks: TaskCounts;
  /** all tasks since the start, also those no longer kept */
  totals: TaskTotals;
  /** tasks that are final but whose code has not ended */
  stuck: number;
  /** how the processes of commands are kept together, the surest first: by a control group for each, by a job, by looking at all processes, or by their process groups alone; absent where no task type starts processes */
  containment?: "cgroup" | "job" | "scan" | "group";
  /** whether everything is paused */
  paused?: boolean;
  /** whether submit is no longer admitted */
  shuttingDown: boolean;
  /** means over the last minute */
  rates: Rates;
  /** of the connection that asked */
  connection: ConnectionStats;
  /** the limits of the server, by name */
  limits: Record<string, number>;
}

/** The params of status. */
export interface StatusParams {
  /** the id of the task */
  id: UUID;
  /** whether to answer with the input too */
  includeInput?: boolean;
  /** whether to answer with the latest attempts too */
  includeAttempts?: boolean;
  /** whether to answer with how many children it has, too */
  includeChildren?: boolean;
  /** whether to answer with its time-out, its grace and whether it may be rerun, too */
  includeTerms?: boolean;
}

/** Where tasks are recorded. */
export interface StoreStats {
  /** the name of the store */
  name: string;
  /** whether tasks outlive the process */
  durable: boolean;
  /** the file of a durable store */
  file?: string;
  /** the submits that wait on this machine; absent where the server has no outbox */
  outbox?: {
    /** the file of the outbox; absent where the server has none */
    file?: string;
    /** submits that wait to be sent */
    waiting: number;
    /** submits that the namespace has refused */
    refused: number;
    /** submits that cannot be sent, because the file no longer has what was written of them */
    damaged?: number;
  };
  /** why nothing can be recorded now; absent when all is well */
  fault?: string;
  /** what is wrong with the store that stops nothing yet; absent when all is well */
  warning?: string;
}

/** The params of submit. */
export interface SubmitParams {
  /** the name of a task type, or an alias */
  type: string;
  /** the input of the task, as the inputSchema of its type; {} where absent */
  input?: unknown;
  /** the id of the task; submitting it again with the same type and input answers with the task as it is */
  id?: UUID;
  /** higher runs first; where absent that of the group, or 0 */
  priority?: number;
  /** bounds each attempt, in milliseconds; 0 is the time-out of the type, or else of the group, and -1 is none */
  timeoutMs?: number;
  /** how long the task may go on after it was told to stop, in milliseconds */
  graceMs?: number;
  /** whether the task may run again where the executor died while it ran; where absent as the type says */
  rerun?: boolean;
  /** names to find the task by; at most 32, of 256 bytes each */
  labels?: Record<string, string>;
  /** the notifications wanted of the task; where absent started, progress, retrying, updated and finished, none for [] */
  events?: ("started" | "progress" | "output" | "retrying" | "updated" | "finished")[];
  /** lossless sends all output, as output events whatever events says, and lets the task wait for this connection to read it; newest keeps the newest and tells of what was skipped */
  output?: "newest" | "lossless";
  /** what becomes of the task when the connection that submitted it has ended; cancel cancels it */
  onDisconnect?: OnDisconnect;
  /** the task does not run before this time */
  runAt?: Time;
  /** if the task has not started by then, it fails with kind expired */
  expiresAt?: Time;
  /** the tasks that must end before this one may run: ids, each with how its task must end behind a colon: success, which is the default, failure or finish */
  after?: string[];
  /** the group in which the task counts; a group has a limit and a rate, and can be paused */
  group?: string;
  /** tasks of one key run one at a time, in the order of their submits */
  key?: string;
  /** how much of each resource the task has while it runs; it starts when all of it is free */
  needs?: Record<string, number>;
  /** the labels that an executor must have to run the task, as serve --label gives them: each with this value */
  on?: Record<string, string>;
  /** whether and when the task is tried again after an attempt that has failed; where absent as the type says */
  retry?: Retry;
  /** what becomes of the submit while there is a task of the same dedupe key */
  dedupe?: Dedupe;
  /** the task of which this one is a part: where that is cancelled, so is this one */
  parent?: UUID;
  /** the task of which this one is another run, as a note */
  retryOf?: UUID;
  /** in place of runAt: so many milliseconds from now */
  delayMs?: number;
  /** in place of expiresAt: so many milliseconds from now; 0 is never */
  expireMs?: number;
  /** whether to answer as if the task were submitted, and record nothing */
  dryRun?: boolean;
}

/** The task, and whether its id was known already. */
export interface SubmitResult {
  /** the id of the task */
  id: UUID;
  /** the name of the task type */
  type: string;
  /** where the task is in its life; completed, failed and cancelled are final */
  state: State;
  /** higher runs first */
  priority: number;
  /** which run of the task this is; 0 before the first */
  attempt: number;
  /** the labels it was submitted with, and the label owner */
  labels: Record<string, string>;
  /** when it was submitted */
  createdAt: Time;
  /** when its newest attempt began */
  startedAt?: Time;
  /** when it became final */
  finishedAt?: Time;
  /** when a cancel was first asked for */
  cancelRequestedAt?: Time;
  /** the reason given with the cancel */
  cancelReason?: string;
  /** the newest progress */
  progress?: Progress;
  /** what the task returned; only when completed */
  result?: unknown;
  /** why it failed or was cancelled; only then */
  error?: TaskError;
  /** how much it has written to each stream */
  outputBytes?: OutputBytes;
  /** its input; only where asked for */
  input?: unknown;
  /** what it was submitted to wait for */
  conditions?: Conditions;
  /** what a queued task waits for at the moment; all of it is true */
  waitingFor?: Waiting[];
  /** its latest 20 attempts, the oldest first; only where asked for */
  attempts?: Attempt[];
  /** how many tasks are parts of it, by state; only where asked for, and where there are any; those that are no longer kept count until the task ends or the server restarts */
  children?: TaskCounts;
  /** how long it may take, and what becomes of it after a crash; only where asked for */
  terms?: {
    /** bounds each attempt, in milliseconds; absent is no bound */
    timeoutMs?: number;
    /** how long it may go on after it was told to stop, in milliseconds */
    graceMs: number;
    /** whether it runs again where nobody knows how its last attempt ended */
    rerun?: boolean;
  };
  /** the executor that runs it, where several share the store */
  runsOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** the executor that had it when it ended, where several share the store */
  ranOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** whether the method signal has stopped it; CONT lets it go on */
  stopped?: boolean;
  /** whether its result, labels and longer texts are left out, because the client was slow and the task was forgotten meanwhile */
  incomplete?: boolean;
  /** whether the task was there already, by its id or by its dedupe key */
  existing?: boolean;
}

/** The params of subscribe. */
export interface SubscribeParams {
  /** first send what became of each task since the event with this seq; absent for nothing of the past */
  after?: number;
  /** only of tasks of one of these types; absent for all */
  types?: string[];
  /** only events that show a task in one of these states, absent for all; task/retrying and task/updated show queued, and all others but task/finished show running */
  states?: State[];
  /** only of tasks that have all these labels */
  labels?: Record<string, string>;
  /** only of these tasks; absent for all */
  ids?: UUID[];
  /** the notifications wanted; where absent started, progress, retrying, updated and finished, none for [] */
  events?: ("started" | "progress" | "output" | "retrying" | "updated" | "finished")[];
}

/** A subscription. */
export interface SubscribeResult {
  /** what unsubscribe takes */
  subscription: number;
  /** the seq of the latest event before the subscription; ask for what comes after it another time */
  seq: number;
  /** whether there were events after the seq asked for, of which only the newest of each task is sent again */
  gap?: boolean;
}

/** One submission of a task type. */
export interface Task {
  /** the id of the task */
  id: UUID;
  /** the name of the task type */
  type: string;
  /** where the task is in its life; completed, failed and cancelled are final */
  state: State;
  /** higher runs first */
  priority: number;
  /** which run of the task this is; 0 before the first */
  attempt: number;
  /** the labels it was submitted with, and the label owner */
  labels: Record<string, string>;
  /** when it was submitted */
  createdAt: Time;
  /** when its newest attempt began */
  startedAt?: Time;
  /** when it became final */
  finishedAt?: Time;
  /** when a cancel was first asked for */
  cancelRequestedAt?: Time;
  /** the reason given with the cancel */
  cancelReason?: string;
  /** the newest progress */
  progress?: Progress;
  /** what the task returned; only when completed */
  result?: unknown;
  /** why it failed or was cancelled; only then */
  error?: TaskError;
  /** how much it has written to each stream */
  outputBytes?: OutputBytes;
  /** its input; only where asked for */
  input?: unknown;
  /** what it was submitted to wait for */
  conditions?: Conditions;
  /** what a queued task waits for at the moment; all of it is true */
  waitingFor?: Waiting[];
  /** its latest 20 attempts, the oldest first; only where asked for */
  attempts?: Attempt[];
  /** how many tasks are parts of it, by state; only where asked for, and where there are any; those that are no longer kept count until the task ends or the server restarts */
  children?: TaskCounts;
  /** how long it may take, and what becomes of it after a crash; only where asked for */
  terms?: {
    /** bounds each attempt, in milliseconds; absent is no bound */
    timeoutMs?: number;
    /** how long it may go on after it was told to stop, in milliseconds */
    graceMs: number;
    /** whether it runs again where nobody knows how its last attempt ended */
    rerun?: boolean;
  };
  /** the executor that runs it, where several share the store */
  runsOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** the executor that had it when it ended, where several share the store */
  ranOn?: {
    /** the name of the executor */
    executor: string;
    /** the name of its machine */
    host: string;
  };
  /** whether the method signal has stopped it; CONT lets it go on */
  stopped?: boolean;
  /** whether its result, labels and longer texts are left out, because the client was slow and the task was forgotten meanwhile */
  incomplete?: boolean;
}

/** Tasks by state. */
export interface TaskCounts {
  /** waiting for a slot */
  queued: number;
  /** being run */
  running: number;
  /** ended with a result */
  completed: number;
  /** ended with an error */
  failed: number;
  /** ended by a cancel */
  cancelled: number;
}

/** Why a task failed or was cancelled. */
export interface TaskError {
  /** the class of the error */
  kind: ErrorKind;
  /** what went wrong, for a person */
  message: string;
  /** whether the same task may succeed another time */
  retryable: boolean;
  /** the exit code of the command */
  exitCode?: number;
  /** the signal that ended the command */
  signal?: string;
  /** the last of what the command wrote to stderr */
  stderrTail?: string;
  /** the system's name for why the command could not be started */
  errno?: string;
  /** the id of the task that did not end as this one needs it */
  cause?: UUID;
  /** whether the task was killed or given up after its grace */
  forced?: boolean;
  /** whether a process of the task outlived it */
  leaked?: boolean;
}

/** Tasks since the start of the process. */
export interface TaskTotals {
  /** accepted */
  submitted: number;
  /** ended with a result */
  completed: number;
  /** ended with an error */
  failed: number;
  /** ended by a cancel */
  cancelled: number;
  /** finished and removed by retention */
  evicted: number;
}

/** A task type. */
export interface TypeInfo {
  /** the name of the task type */
  name: string;
  /** other names that submit takes for it */
  aliases?: string[];
  /** what it does */
  description: string;
  /** the JSON Schema of its input */
  inputSchema: unknown;
  /** the JSON Schema of its result */
  resultSchema: unknown;
  /** whether a task of it runs again where the executor died while it ran */
  idempotent: boolean;
  /** where it comes from, as builtin or program */
  source: string;
}

/** The task types on offer. */
export interface TypesResult {
  /** the task types, sorted by name */
  types: TypeInfo[];
}

/** The params of unschedule. */
export interface UnscheduleParams {
  /** the name of the schedule */
  name: string;
}

/** Whether there was a schedule of the name. */
export interface UnscheduleResult {
  /** whether there was a schedule of the name */
  existed: boolean;
}

/** The params of unsubscribe. */
export interface UnsubscribeParams {
  /** the subscription, as subscribe has answered */
  subscription: number;
}

/** The params of update. */
export interface UpdateParams {
  /** the id of the task */
  id: UUID;
  /** higher runs first; as it was where absent */
  priority?: number;
  /** the task does not run before this time; of one that waits for its next attempt, the time of that */
  runAt?: Time;
  /** in place of runAt: so many milliseconds from now; 0 is no time to wait for */
  delayMs?: number;
  /** if the task has not started by then, it fails with kind expired */
  expiresAt?: Time;
  /** in place of expiresAt: so many milliseconds from now; 0 is never */
  expireMs?: number;
  /** labels to add, or to put in the place of those with the same names; one with an empty value is removed */
  labels?: Record<string, string>;
  /** the group in which the task counts; an empty one is none; as it was where absent */
  group?: string;
  /** the labels that an executor must have to run the task, in place of all that it asked for; {} for none; as it was where absent */
  on?: Record<string, string>;
}

/** A task that waits was changed by update. */
export interface UpdatedEvent {
  /** the id of the task */
  id: UUID;
  /** rises with every notification of the task */
  seq: number;
  /** tasks with a higher priority run first */
  priority: number;
  /** names to find the task by */
  labels: Record<string, string>;
  /** when it may run; absent where nothing was asked for */
  conditions?: Conditions;
  /** the task has waited in an outbox, and is recorded now */
  sent?: boolean;
  /** when the next attempt may begin; absent where there was none before */
  runAt?: Time;
}

/** One way in which a value breaks its schema. */
export interface Violation {
  /** the JSON Pointer of the place; empty for the whole value */
  pointer: string;
  /** what is wrong and what is wanted */
  message: string;
}

/** The params of wait. */
export interface WaitParams {
  /** the ids of the tasks */
  ids: UUID[];
  /** how many of the tasks must be final */
  until?: WaitUntil;
  /** whether a task counts as final when all that is below it is, too: its parts, and theirs */
  tree?: boolean;
  /** bounds the wait, in milliseconds; absent is no bound, 0 answers at once */
  timeoutMs?: number;
}

/** The tasks in the order asked. */
export interface WaitResult {
  /** the tasks, in the order asked */
  tasks: Task[];
  /** whether the time passed first; the tasks are as they then were */
  timedOut: boolean;
}

/** Something that a queued task waits for. */
export interface Waiting {
  /** what the task waits for */
  kind: WaitingKind;
  /** the same, for a person */
  message: string;
  /** the tasks for whose end it waits: at most 10 */
  ids?: UUID[];
  /** how many tasks must end */
  count?: number;
  /** when it stops waiting for this */
  until?: Time;
  /** the name of the group, the key, the resource, the type or the executor, or the file of the outbox */
  name?: string;
  /** how much of the resource it needs */
  amount?: number;
  /** how much of the resource is free */
  free?: number;
  /** why its last attempt failed, where it waits for the next one */
  error?: TaskError;
  /** how much there is of the resource, or the limit of the group */
  total?: number;
}

/** The methods, with what goes in and what comes out. */
export interface Methods {
  /** Introduce the client, and learn what the server is. Optional, at any time, once. Members other than these are ignored, so that a language client can send what it sends to any server. */
  "initialize": { params: InitializeParams; result: InitializeResult };
  /** Ask for one run of a task type. The reply comes when the task is recorded, before any notification of it. With an id that is known the same type and input answer with the task as it is and existing: true; another type or input is idConflict. A task that fails is a result, never an error. With dryRun nothing is recorded, and the answer is the task as it would be. */
  "submit": { params: SubmitParams; result: SubmitResult };
  /** Show one task. */
  "status": { params: StatusParams; result: Task };
  /** Ask for a task to stop. A queued task never runs. A running one is told to stop, and killed or given up after its grace. A final one stays as it is. */
  "cancel": { params: CancelParams; result: CancelResult };
  /** End the server, or this connection of a shared one. From the moment it is read no submit is admitted. The reply is the last message of the connection. A second shutdown may escalate. With scope connection the tasks go on, but for mode cancel, which cancels those that this connection has submitted. */
  "shutdown": { params: ShutdownParams; result: ShutdownResult };
  /** Wait until tasks are final. A time-out is a result with timedOut: true. The task/finished of a task comes before the reply. */
  "wait": { params: WaitParams; result: WaitResult };
  /** Select tasks, page by page. All that is given must hold; since counts what was submitted at that time, until does not. A page can be short of the limit and yet have a nextCursor; pages are stable while tasks come and go. */
  "list": { params: ListParams; result: ListResult };
  /** Follow the events of tasks, whoever submitted them. All that is given must hold; nothing is every task. Each event is sent once, whatever asks for it. With after it first sends what each task had since: task/finished, or task/started where it runs, and behind them subscription/replayed. */
  "subscribe": { params: SubscribeParams; result: SubscribeResult };
  /** End a subscription of this connection. Events that have happened already may still come. */
  "unsubscribe": { params: UnsubscribeParams; result: Empty };
  /** Read what a task has written. */
  "output": { params: OutputParams; result: OutputResult };
  /** Send bytes to a running task, as to the stdin of a command. It answers when the bytes wait for the task to read them, in the order of the requests. Where too many wait already it is queueFull, and nothing was sent. */
  "input": { params: InputParams; result: Empty };
  /** Send a signal to all processes of a running command, which does not cancel it. A task that STOP has stopped is shown with stopped: true until CONT. Its time-out runs, and a cancel ends it. */
  "signal": { params: SignalParams; result: Empty };
  /** Set the size of the terminal of a running command. */
  "resize": { params: ResizeParams; result: Empty };
  /** Say why a task waits, down to what holds it all up. Each link is a task; the next one is the first task that its waitingFor names. All of a chain was true at one moment, unless tasks ended while it was read. */
  "explain": { params: ExplainParams; result: ExplainResult };
  /** Submit tasks again that have ended. Each becomes a new task with the type, input, priority, labels, group, key, needs and retry of the old one. It waits for no time. Where it came after another of these tasks it comes after the new one; of others only those that have not ended count. With several ids a completed task is refused, unless force is given. All are submitted, or none. */
  "retry": { params: RetryParams; result: Record<string, unknown> };
  /** Change a task that waits. What is left out stays as it is, and so does its place among tasks of the same priority. Labels are added to those that there are. One that has begun does not expire, and its runAt is the time of its next attempt. */
  "update": { params: UpdateParams; result: Task };
  /** Show the groups and the resources, and whether everything is paused. Groups come page by page, sorted by name. */
  "groups": { params: GroupsParams; result: GroupsResult };
  /** Change the settings of a group, which are stored. What is left out stays as it is. Tasks that run go on. A group is made by its first task, or by this. */
  "setGroup": { params: SetGroupParams; result: Group };
  /** Let no task begin, or none of a group, until resume. It is stored. Tasks that run go on, and submit is as before. */
  "pause": { params: PauseParams; result: Empty };
  /** Undo pause. A group that was paused by itself stays paused when everything is resumed. */
  "resume": { params: PauseParams; result: Empty };
  /** Make a schedule, or change the one with the name. It is stored. A task is submitted for each due time, as submit says, and one alone: its id follows from the name and the due time. Its labels have schedule, the name, and owner, schedule. A change is not counted as a missed due time, and runs none twice. Where nothing is other than before, nothing changes. */
  "schedule": { params: ScheduleParams; result: Schedule };
  /** Remove a schedule. Its tasks stay. */
  "unschedule": { params: UnscheduleParams; result: UnscheduleResult };
  /** Show the schedules: when each is due next, and what became of its last task. Schedules come page by page, sorted by name. */
  "schedules": { params: SchedulesParams; result: SchedulesResult };
  /** Show the executors that run tasks of the store. Several share a store of many machines. Any other store has one. */
  "executors": { params: Empty; result: Record<string, unknown> };
  /** Let an executor begin no task any more, or begin tasks again. What runs on it goes on, and what waits goes to the others. It is for a store of many machines. */
  "drain": { params: DrainParams; result: Record<string, unknown> };
  /** List the submits that wait on this machine, or were refused. They are in the file of `serve --outbox`, because a store of many machines could not be reached. Without that file there are none. */
  "outbox": { params: OutboxParams; result: Record<string, unknown> };
  /** Send submits of the outbox again that were refused. Each is sent in its old place. What was not refused stays as it is. */
  "resend": { params: ResendParams; result: Record<string, unknown> };
  /** List the task types on offer. */
  "types": { params: Empty; result: TypesResult };
  /** Show the state of the server in numbers. */
  "stats": { params: Empty; result: StatsResult };
  /** Show this document. */
  "rpc.discover": { params: Empty; result: Record<string, unknown> };
}

/** The notifications that a client sends. */
export interface ClientNotifications {
  /** End a pending request of this connection, which answers requestCancelled. It touches no task. */
  "$/cancelRequest": CancelRequestParams;
  /** End the server as shutdown with mode cancel does, or this connection of a shared one as with mode drain, without a reply. */
  "exit": ExitParams;
}

/** The notifications that the server sends. */
export interface Notifications {
  /** An attempt of a task began. */
  "task/started": StartedEvent;
  /** The newest progress of a task, at most once in 100 ms. */
  "task/progress": ProgressEvent;
  /** A piece of a stream of a task. */
  "task/output": OutputEvent;
  /** An attempt of a task has failed, and another one follows. */
  "task/retrying": RetryingEvent;
  /** A task that waits was changed by update. */
  "task/updated": UpdatedEvent;
  /** A task is final. Nothing comes after it. */
  "task/finished": FinishedEvent;
  /** A subscription has been sent what it asked for of the past. */
  "subscription/replayed": ReplayedEvent;
  /** The shared executor is about to end, because of another connection or of the system. */
  "executor/shuttingDown": ShuttingDownEvent;
}

/** The codes of errors, by the kind that data has beside them. */
export interface ErrorCodes {
  /** the message is not JSON */
  parseError: -32700;
  /** the message is JSON but not a request */
  invalidRequest: -32600;
  /** there is no such method */
  methodNotFound: -32601;
  /** the params, or the task's input, are wrong */
  invalidParams: -32602;
  /** a fault of the server; its log says more */
  internalError: -32603;
  /** the request was ended by $/cancelRequest */
  requestCancelled: -32800;
  /** no task has this id, or it is no longer kept */
  taskNotFound: 1001;
  /** no task type has this name */
  unknownType: 1002;
  /** another task has this id */
  idConflict: 1003;
  /** a queue is at its limit */
  queueFull: 1004;
  /** the server admits no more tasks */
  shuttingDown: 1005;
  /** this server was told not to offer it */
  notPermitted: 1006;
  /** a limit of size was passed */
  tooLarge: 1007;
  /** the store cannot record it now */
  storeUnavailable: 1008;
  /** events after this seq are no longer kept */
  eventsGone: 1009;
  /** a task with this id has ended and is no longer kept */
  taskGone: 1010;
  /** there is a task of this dedupe key already */
  duplicate: 1011;
  /** the task does not wait, so it cannot be changed */
  notQueued: 1012;
}

export type Method = keyof Methods;

export interface Request<M extends Method = Method> {
  jsonrpc: "2.0";
  id: string | number | null;
  method: M;
  params?: Methods[M]["params"];
}

export interface Result<M extends Method = Method> {
  jsonrpc: "2.0";
  id: string | number | null;
  result: Methods[M]["result"];
}

/** The error of a request. Its code tells its data.kind, and the other way round. */
export type RPCError = {
  [K in keyof ErrorCodes]: { code: ErrorCodes[K]; message: string; data: ErrorData & { kind: K } };
}[keyof ErrorCodes];

export interface Failure {
  jsonrpc: "2.0";
  id: string | number | null;
  error: RPCError;
}

/** The answer to a request. */
export type Response<M extends Method = Method> = Result<M> | Failure;

/** What the server sends without being asked. The method tells the params. */
export type Notification = {
  [N in keyof Notifications]: { jsonrpc: "2.0"; method: N; params: Notifications[N] };
}[keyof Notifications];

/** What a client sends without wanting an answer. */
export type ClientNotification = {
  [N in keyof ClientNotifications]: { jsonrpc: "2.0"; method: N; params?: ClientNotifications[N] };
}[keyof ClientNotifications];

/** All that the server writes, but for the answer to a batch, which is a list of responses. */
export type Message = Response | Notification;
