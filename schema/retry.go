package schema

// Retry says whether and when a task is tried again after an attempt that has failed. In a
// record all members are set, but for On where it is the default.
type Retry struct {
	MaxAttempts int32 `json:"maxAttempts" jsonschema:"how often the task runs at most, the first attempt included" schema:"minimum=1,maximum=1000"`
	// DelayMs nil is 1000.
	DelayMs    *int64  `json:"delayMs,omitzero" jsonschema:"how long the task waits before the second attempt, in milliseconds" schema:"minimum=0,maximum=315360000000,default=1000"`
	Factor     float64 `json:"factor,omitzero" jsonschema:"how many times as long it waits before each further attempt" schema:"minimum=1,maximum=100,default=2"`
	MaxDelayMs int64   `json:"maxDelayMs,omitzero" jsonschema:"how long it waits at most, in milliseconds" schema:"minimum=1,maximum=315360000000,default=3600000"`
	// Jitter nil is 0.1.
	Jitter *float64 `json:"jitter,omitzero" jsonschema:"the part of each wait that is left to chance, so that tasks which failed together are not tried again together: 0.1 makes it up to 10 % longer or shorter" schema:"minimum=0,maximum=1,default=0.1"`
	// On nil is those that are marked as retryable, and RetriedKinds.
	On []ErrorKind `json:"on,omitzero" jsonschema:"the kinds of errors after which the task is tried again; where absent those marked as retryable, and exit, signal, timeout and interrupted" schema:"minItems=1,maxItems=16"`
}

// RetriedKinds are the kinds of errors after which a task is tried again, where its Retry does
// not say and the error is not marked as retryable.
var RetriedKinds = [...]ErrorKind{KindExit, KindSignal, KindTimeout, KindInterrupted}

// Attempt is one run of a task.
type Attempt struct {
	Attempt    int32 `json:"attempt" jsonschema:"which run of the task it was" schema:"minimum=1"`
	StartedAt  Time  `json:"startedAt" jsonschema:"when it began"`
	FinishedAt Time  `json:"finishedAt,omitzero" jsonschema:"when it ended; absent while it runs"`
	// Error has texts of at most MaxAttemptText bytes each, where another attempt followed. Where two
	// did, it has no StderrTail, and a message of at most MaxEarlierText bytes.
	Error  *TaskError     `json:"error,omitzero" jsonschema:"why it failed; only then"`
	RanOn  *RunsOn        `json:"ranOn,omitzero" jsonschema:"the executor that ran it, where several share the store"`
	Output *AttemptOutput `json:"output,omitzero" jsonschema:"where in each stream is what it wrote; absent where it wrote nothing"`
}

// MaxAttempts is how many attempts of a task are kept, the latest.
const MaxAttempts = 20

// MaxAttemptText bounds each text of the error of an attempt that another one followed, in bytes.
const MaxAttemptText = 4 << 10

// MaxEarlierText bounds the message of the error of an attempt that two others followed, in bytes. What
// the attempt wrote to stderr is in the output of the task.
const MaxEarlierText = 256

// AttemptOutput is where in each stream of its task an attempt has written.
type AttemptOutput struct {
	Stdout Span `json:"stdout" jsonschema:"of stdout"`
	Stderr Span `json:"stderr" jsonschema:"of stderr"`
	Log    Span `json:"log" jsonschema:"of the log"`
}

// Of is the span of a stream.
func (o *AttemptOutput) Of(s Stream) *Span { return [...]*Span{&o.Stdout, &o.Stderr, &o.Log}[s] }

// Span is a part of a stream: the bytes with From <= offset < To.
type Span struct {
	From int64 `json:"from" jsonschema:"the offset of its first byte" schema:"minimum=0"`
	To   int64 `json:"to" jsonschema:"the offset after its last byte" schema:"minimum=0"`
}

// Of is how many bytes a stream has.
func (b *OutputBytes) Of(s Stream) *int64 { return [...]*int64{&b.Stdout, &b.Stderr, &b.Log}[s] }
