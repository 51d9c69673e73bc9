package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The task types of a history.
const (
	quickType     = "quick"     // ends at once
	slowType      = "slow"      // sleeps, and stops when it is told to
	failingType   = "failing"   // sleeps, then returns an error
	panickingType = "panicking" // sleeps, then panics
	deafType      = "deaf"      // sleeps, and ignores its cancel
	chattyType    = "chatty"    // reports progress and writes output
	readingType   = "reading"   // sleeps, and answers what clients have sent to it meanwhile
)

var typeNames = []string{quickType, slowType, failingType, panickingType, deafType, chattyType, readingType}

// Input is the input of every task type of a history.
type Input struct {
	Ms    int `json:"ms,omitzero" schema:"minimum=0"`    // how long to sleep, in milliseconds
	Lines int `json:"lines,omitzero" schema:"minimum=0"` // how many lines to write to each stream
}

// Result has the input, so that a result of another task is noticed.
type Result struct {
	Ms    int      `json:"ms"`
	Heard []string `json:"heard,omitzero"` // the inputs of a reading task, in the order in which they came
}

// Types are the task types that the server of Run must offer.
func Types() []executor.Type {
	return []executor.Type{
		executor.MustDefine(quickType, func(_ context.Context, in Input) (Result, error) { return Result{Ms: in.Ms}, nil }, executor.Idempotent()),
		executor.MustDefine(slowType, func(ctx context.Context, in Input) (Result, error) { return Result{Ms: in.Ms}, sleep(ctx, in) }),
		executor.MustDefine(failingType, func(ctx context.Context, in Input) (Result, error) {
			return Result{}, errors.Join(sleep(ctx, in), errors.New("it fails, as it should"))
		}, executor.Idempotent()),
		executor.MustDefine(panickingType, func(ctx context.Context, in Input) (Result, error) {
			_ = sleep(ctx, in)
			panic("it panics, as it should")
		}),
		executor.MustDefine(deafType, func(_ context.Context, in Input) (Result, error) {
			time.Sleep(time.Duration(in.Ms) * time.Millisecond)
			return Result{Ms: in.Ms}, nil
		}),
		executor.MustDefine(chattyType, chat, executor.Idempotent()),
		executor.MustDefine(readingType, hear, executor.StartsItself()),
	}
}

func sleep(ctx context.Context, in Input) error {
	select {
	case <-time.After(time.Duration(in.Ms) * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func chat(ctx context.Context, in Input) (Result, error) {
	for i := range in.Lines {
		executor.Report(ctx, schema.Progress{Value: float64(i), Total: float64(in.Lines)})
		for _, stream := range []schema.Stream{schema.Stdout, schema.Stderr} {
			if _, err := io.WriteString(executor.Output(ctx, stream), lineOf(stream, i)); err != nil {
				return Result{}, err
			}
		}
		runtime.Gosched()
	}
	return Result{Ms: in.Ms}, sleep(ctx, in)
}

// hear notes what clients send. It begins before the clients are told of the start.
func hear(ctx context.Context, in Input) (Result, error) {
	var mu sync.Mutex
	var heard []string
	executor.Handle(ctx, executor.Handlers{
		Input: func(data []byte, _ bool) error {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, string(data))
			return nil
		},
		Signal: func(schema.Signal) error { return nil },
		Resize: func(uint16, uint16) error { return nil },
	})
	executor.Started(ctx, 0)
	err := sleep(ctx, in)
	mu.Lock()
	defer mu.Unlock()
	return Result{Ms: in.Ms, Heard: slices.Clone(heard)}, err
}

// lineLength is the length of each line that a chatty task writes.
const lineLength = 16

// lineOf is a line of a stream. No two lines are equal, so that misplaced output is
// noticed.
func lineOf(stream schema.Stream, n int) string {
	return fmt.Sprintf("%s %08d\n", stream, n)
}

// textAt is the content of a stream from an offset on.
func textAt(stream schema.Stream, offset int64, length int) string {
	var b strings.Builder
	first := int(offset) / lineLength
	for n := first; b.Len() < length+lineLength; n++ {
		b.WriteString(lineOf(stream, n))
	}
	begin := int(offset) % lineLength
	return b.String()[begin : begin+length]
}

// wrongOutcome says what is wrong with how a task ended, or "".
func wrongOutcome(p *schema.SubmitParams, end *schema.Task, cancelled, timed bool) string {
	kind := schema.ErrorKind("")
	if end.Error != nil {
		kind = end.Error.Kind
	}
	switch {
	case end.State == schema.Cancelled && !cancelled:
		return "it ended as cancelled, and nobody has cancelled it"
	case end.State == schema.Cancelled && kind != schema.KindCancelled:
		return fmt.Sprintf("it ended as cancelled with an error of kind %q", kind)
	case end.State == schema.Failed && kind == schema.KindTimeout:
		if !timed {
			return "it ended by a time-out that it does not have"
		}
	case end.State == schema.Failed && kind == schema.KindDependency && len(p.After) > 0: // another check says whether that is right
	case end.State == schema.Failed:
		if want := map[string]schema.ErrorKind{failingType: schema.KindTaskError, panickingType: schema.KindPanic}[p.Type]; want != kind {
			return fmt.Sprintf("a task of type %s failed with kind %q: %s", p.Type, kind, end.Error.Message)
		}
	case end.State == schema.Completed:
		return wrongResult(p, end)
	}
	return ""
}

func wrongResult(p *schema.SubmitParams, end *schema.Task) string {
	var in Input
	var out Result
	if p.Input != nil {
		if err := json.Unmarshal(p.Input, &in); err != nil {
			return err.Error()
		}
	}
	if err := json.Unmarshal(end.Result, &out); err != nil || out.Ms != in.Ms {
		return fmt.Sprintf("its result is %s, its input %s", end.Result, p.Input)
	}
	if time.Duration(in.Ms)*time.Millisecond == longTask {
		return "it has completed, and was to end with its connection"
	}
	if p.Type == failingType || p.Type == panickingType {
		return fmt.Sprintf("a task of type %s completed", p.Type)
	}
	return ""
}
