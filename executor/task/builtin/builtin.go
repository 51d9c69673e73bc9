// Package builtin has the task types that every jobline offers beside exec:
// some to try a client out with, and three samples of what a task looks like.
package builtin

import (
	"context"
	"errors"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Types makes them all.
func Types() ([]executor.Type, error) {
	var types []executor.Type
	var errs []error
	for _, define := range []func() (executor.Type, error){noop, sleep, fail, bubbleBath, squirrelPatrol, unicornWrangling} {
		t, err := define()
		types, errs = append(types, t), append(errs, err)
	}
	return types, errors.Join(errs...)
}

var source = executor.Source("builtin")

// Nothing is an input or a result without members.
type Nothing struct{}

func noop() (executor.Type, error) {
	return executor.Define("noop", func(context.Context, Nothing) (Nothing, error) { return Nothing{}, nil },
		source, executor.Idempotent(), executor.Describe("Does nothing, at once."))
}

// SleepInput is the input of sleep. Here and below no time is longer than a week.
type SleepInput struct {
	DurationMs      int64 `json:"durationMs" jsonschema:"how long to sleep, in milliseconds" schema:"minimum=0,maximum=604800000"`
	ProgressEveryMs int64 `json:"progressEveryMs,omitzero" jsonschema:"how often to report progress, in milliseconds; never by default" schema:"minimum=0,maximum=604800000"`
}

// SleepResult is the result of sleep.
type SleepResult struct {
	SleptMs int64 `json:"sleptMs"`
}

func sleep() (executor.Type, error) {
	return executor.Define("sleep", func(ctx context.Context, in SleepInput) (SleepResult, error) {
		err := pass(ctx, in.DurationMs, in.ProgressEveryMs, "")
		return SleepResult{SleptMs: in.DurationMs}, err
	}, source, executor.Idempotent(), executor.Describe("Waits for durationMs."))
}

// pass lets a time pass and reports how much of it has.
func pass(ctx context.Context, durationMs, everyMs int64, message string) error {
	step := durationMs
	if everyMs > 0 {
		step = min(everyMs, durationMs)
	}
	began := time.Now()
	report := func(ms int64) {
		if everyMs > 0 {
			executor.Report(ctx, schema.Progress{Value: float64(ms), Total: float64(durationMs), Unit: "ms", Message: message})
		}
	}
	for done := int64(0); done < durationMs; {
		report(done)
		done = min(done+step, durationMs)
		if err := until(ctx, began.Add(time.Duration(done)*time.Millisecond)); err != nil {
			return err
		}
	}
	report(durationMs)
	return nil
}

// until waits for a point in time, or for the end of the context.
func until(ctx context.Context, t time.Time) error {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// FailInput is the input of fail.
type FailInput struct {
	Message string `json:"message,omitzero" jsonschema:"the message of the error"`
	AfterMs int64  `json:"afterMs,omitzero" jsonschema:"how long to wait before, in milliseconds" schema:"minimum=0,maximum=604800000"`
}

func fail() (executor.Type, error) {
	return executor.Define("fail", func(ctx context.Context, in FailInput) (Nothing, error) {
		if err := pass(ctx, in.AfterMs, 0, ""); err != nil {
			return Nothing{}, err
		}
		if in.Message == "" {
			in.Message = "failed as asked"
		}
		return Nothing{}, errors.New(in.Message)
	}, source, executor.Idempotent(), executor.Describe("Fails with a message, to try a client out."))
}
