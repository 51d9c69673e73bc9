package executor_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// rudeError is an error with methods that do what no error should.
type rudeError struct{ text, in string }

func (e *rudeError) does(what string) {
	if e.in == what {
		panic(what + " of an error")
	}
	if e.in == "goexit" {
		runtime.Goexit()
	}
}

func (e *rudeError) Error() string {
	e.does("error")
	return e.text
}

func (e *rudeError) Is(error) bool {
	e.does("is")
	return false
}

func (e *rudeError) As(any) bool {
	e.does("as")
	return false
}

func (e *rudeError) Unwrap() error {
	e.does("unwrap")
	return nil
}

// rudeResult is a result that cannot be written.
type rudeResult struct{}

func (rudeResult) MarshalText() ([]byte, error) { panic("the result panics") }

func (*rudeResult) UnmarshalText([]byte) error { return nil }

// TestErrorsThatPanic: what the code returns is the code's, too, and ends nothing
// but its task.
func TestErrorsThatPanic(t *testing.T) {
	var none *rudeError
	for name, err := range map[string]error{
		"nil of a type": none, "error": &rudeError{in: "error"}, "is": &rudeError{in: "is"},
		"as": &rudeError{in: "as"}, "unwrap": &rudeError{in: "unwrap"}, "goexit": &rudeError{in: "goexit"},
		"joined": errors.Join(errors.New("one"), none),
	} {
		t.Run(name, func(t *testing.T) {
			for _, told := range []bool{false, true} {
				rude := executor.MustDefine("rude", func(ctx context.Context, _ empty) (empty, error) {
					if told {
						<-ctx.Done()
					}
					return empty{}, err
				})
				withRig(t, executor.Options{Limit: 1, Types: []executor.Type{rude}}, func(r *rig) {
					id, next := r.of("rude"), r.of("fail")
					want := schema.Failed
					if told {
						r.inState(id, schema.Running)
						r.cancel(id, executor.Cancellation{})
						want = schema.Cancelled
					}
					require.NotEmpty(r, r.inState(id, want).Error.Message)
					r.inState(next, schema.Failed)
				})
			}
		})
	}
}

func TestResultsThatPanic(t *testing.T) {
	rude := executor.MustDefine("rude", func(context.Context, empty) (rudeResult, error) { return rudeResult{}, nil })
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{rude}}, func(r *rig) {
		id, next := r.of("rude"), r.of("fail")
		require.Equal(r, schema.KindPanic, r.inState(id, schema.Failed).Error.Kind)
		r.inState(next, schema.Failed)
	})
}
