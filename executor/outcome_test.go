package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// coded is a type without input and result, of some code.
func coded(name string, code func(ctx context.Context) error, options ...executor.TypeOption) executor.Type {
	return executor.MustDefine(name, func(ctx context.Context, _ empty) (empty, error) {
		return empty{}, code(ctx)
	}, options...)
}

func TestHowATaskEnds(t *testing.T) {
	var none []error
	long := strings.Repeat("x", 64<<10-1) // one byte less than there is room for
	for _, c := range []struct {
		name string
		code func(ctx context.Context) error
		want schema.TaskError
	}{
		{"an error", func(context.Context) error { return errors.New("so it is") },
			schema.TaskError{Kind: schema.KindTaskError, Message: "so it is"}},
		{"an error worth another try", func(context.Context) error { return executor.Retryable(errors.New("busy"), 0) },
			schema.TaskError{Kind: schema.KindTaskError, Message: "busy", Retryable: true}},
		{"a failure that says how it looks", func(context.Context) error {
			return fmt.Errorf("wrapped: %w", &executor.Failure{TaskError: schema.TaskError{Kind: schema.KindExit, Message: "exit 3", ExitCode: new(3)}})
		}, schema.TaskError{Kind: schema.KindExit, Message: "exit 3", ExitCode: new(3)}},
		{"a failure without a kind", func(context.Context) error {
			return &executor.Failure{TaskError: schema.TaskError{Message: "plain"}}
		}, schema.TaskError{Kind: schema.KindTaskError, Message: "plain"}},
		{"a failure whose texts are not UTF-8", func(context.Context) error {
			return &executor.Failure{TaskError: schema.TaskError{
				Kind: "my\xffkind", Message: "caf\xe9", Signal: "\xe9", StderrTail: "th\xe9\xe9!", Errno: "E\xe9",
			}}
		}, schema.TaskError{Kind: schema.KindTaskError, Message: "caf\uFFFD", Signal: "\uFFFD", StderrTail: "th\uFFFD!", Errno: "E\uFFFD"}},
		{"an error that is not UTF-8", func(context.Context) error { return errors.New("caf\xe9") },
			schema.TaskError{Kind: schema.KindTaskError, Message: "caf\uFFFD"}},
		{"a failure with long texts", func(context.Context) error {
			return &executor.Failure{TaskError: schema.TaskError{Message: long + "é", StderrTail: long + "éé"}}
		}, schema.TaskError{Kind: schema.KindTaskError, Message: long, StderrTail: long}},
		{"a panic", func(context.Context) error { panic("oh no") },
			schema.TaskError{Kind: schema.KindPanic, Message: "panic: oh no"}},
		{"a panic of nil", func(context.Context) error { panic(nil) },
			schema.TaskError{Kind: schema.KindPanic, Message: "panic: panic called with nil argument"}},
		{"a fault of the runtime", func(context.Context) error { return none[0] },
			schema.TaskError{Kind: schema.KindPanic, Message: "panic: runtime error: index out of range [0] with length 0"}},
		{"an end of its goroutine", func(context.Context) error { runtime.Goexit(); return nil },
			schema.TaskError{Kind: schema.KindPanic, Message: "the code called runtime.Goexit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			withRig(t, executor.Options{Limit: 1, Types: []executor.Type{coded("code", c.code)}}, func(r *rig) {
				failed := r.inState(r.of("code"), schema.Failed)
				require.Equal(r, c.want, *failed.Error)
				require.Nil(r, failed.Result)
				r.inState(r.of("nap"), schema.Completed) // the slot is free again
			})
		})
	}
}

func TestStackOfAPanicGoesToTheLogAlone(t *testing.T) {
	boom := coded("code", func(context.Context) error { panic("oh no") })
	withRig(t, executor.Options{Types: []executor.Type{boom}}, func(r *rig) {
		failed := r.inState(r.of("code"), schema.Failed)
		require.NotContains(r, failed.Error.Message, "goroutine")
		require.Contains(r, r.log.String(), "outcome_test.go")
		require.Contains(r, r.log.String(), failed.ID.String())
	})
}

func TestOneTaskChangesNothingForAnother(t *testing.T) {
	bad := []executor.Type{
		coded("panics", func(context.Context) error { panic("oh no") }),
		coded("exits", func(context.Context) error { runtime.Goexit(); return nil }),
		coded("floods", func(ctx context.Context) error {
			for n := range 2000 {
				executor.Report(ctx, schema.Progress{Value: float64(n)})
				_, _ = executor.Output(ctx, schema.Stdout).Write([]byte(strings.Repeat("flood ", 100)))
			}
			return nil
		}),
	}
	withRig(t, executor.Options{Limit: 4, Types: bad}, func(r *rig) {
		good := r.submit(nap(time.Second))
		for range 20 {
			for _, b := range bad {
				r.of(b.Name())
			}
		}
		stubborn := r.submit(taking("deaf", time.Hour))
		r.cancel(stubborn, executor.Cancellation{Force: true})
		later := r.submit(nap(time.Second))
		r.pass(time.Second)
		require.Equal(r, time.Second, took(r.inState(good, schema.Completed)))
		require.Equal(r, time.Second, took(r.inState(later, schema.Completed)))
		require.Equal(r, int64(40), r.stats().Tasks.Failed)
		r.pass(time.Hour)
	})
}

func TestResultIsChecked(t *testing.T) {
	type result struct {
		N float64 `json:"n" schema:"maximum=10"`
	}
	of := func(n float64) executor.Type {
		return executor.MustDefine("code", func(context.Context, empty) (result, error) { return result{n}, nil })
	}
	for _, c := range []struct {
		n       float64
		message string
	}{{10, ""}, {11, "/n"}, {math.NaN(), "cannot be JSON"}} {
		withRig(t, executor.Options{Types: []executor.Type{of(c.n)}}, func(r *rig) {
			ended := r.task(r.of("code"))
			if c.message == "" {
				require.Equal(r, schema.Completed, ended.State)
				require.JSONEq(r, `{"n":10}`, string(ended.Result))
				return
			}
			require.Equal(r, schema.Failed, ended.State)
			require.Equal(r, schema.KindInvalidResult, ended.Error.Kind)
			require.Contains(r, ended.Error.Message, c.message)
			require.Nil(r, ended.Result)
		})
	}
}

func TestResultIsBounded(t *testing.T) {
	const most = 100
	long := executor.MustDefine("long", func(_ context.Context, n int) (string, error) {
		return strings.Repeat("x", n-len(`""`)), nil
	})
	withRig(t, executor.Options{MaxResult: most, Types: []executor.Type{long}}, func(r *rig) {
		at := r.submit(schema.SubmitParams{Type: "long", Input: jsontext.Value("100")})
		past := r.submit(schema.SubmitParams{Type: "long", Input: jsontext.Value("101")})
		require.Len(r, r.inState(at, schema.Completed).Result, most)
		failed := r.inState(past, schema.Failed)
		require.Equal(r, schema.KindInvalidResult, failed.Error.Kind)
		require.Contains(r, failed.Error.Message, "101")
	})
}

func TestTimeout(t *testing.T) {
	patient := executor.MustDefine("patient", func(ctx context.Context, _ empty) (empty, error) {
		<-ctx.Done()
		return empty{}, fmt.Errorf("cleaned up after %w", ctx.Err())
	}, executor.Timeout(3*time.Second))
	withRig(t, executor.Options{Limit: 4, Types: []executor.Type{patient}}, func(r *rig) {
		within, over := nap(time.Second), nap(time.Hour)
		within.TimeoutMs, over.TimeoutMs = 1001, 2000
		a, b, c := r.submit(within), r.submit(over), r.of("patient")
		r.pass(time.Minute)
		r.inState(a, schema.Completed)
		failed := r.inState(b, schema.Failed)
		require.Equal(r, schema.TaskError{Kind: schema.KindTimeout, Message: executor.ErrTimeout.Error(), Retryable: true}, *failed.Error)
		require.Equal(r, 2*time.Second, took(failed))
		require.Zero(r, failed.CancelRequestedAt)
		require.Equal(r, 3*time.Second, took(r.inState(c, schema.Failed)), "the type's own")
	})
}

func TestTimeoutWithGrace(t *testing.T) {
	withRig(t, executor.Options{Limit: 2}, func(r *rig) {
		quick, slow := taking("deaf", 3*time.Second), taking("deaf", time.Hour)
		quick.TimeoutMs, quick.GraceMs = 2000, new(int64(1500))
		slow.TimeoutMs, slow.GraceMs = 2000, new(int64(1500))
		a, b := r.submit(quick), r.submit(slow)
		r.pass(time.Minute)
		require.Equal(r, 3*time.Second, took(r.inState(a, schema.Completed)), "its result came within the grace")
		failed := r.inState(b, schema.Failed)
		require.Equal(r, 3500*time.Millisecond, took(failed))
		require.Equal(r, schema.TaskError{
			Kind: schema.KindTimeout, Message: executor.ErrTimeout.Error() + "; its code has not ended", Retryable: true, Forced: true,
		}, *failed.Error)
		r.pass(time.Hour)
	})
}
