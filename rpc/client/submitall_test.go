package client_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// submits yields so many submits, each third of a type that is not there.
func submits(n int) func(context.Context) iter.Seq[schema.SubmitParams] {
	return func(context.Context) iter.Seq[schema.SubmitParams] {
		return func(yield func(schema.SubmitParams) bool) {
			for i := range n {
				p := schema.SubmitParams{Type: "noop", Labels: map[string]string{"n": fmt.Sprint(i)}, Events: []string{}}
				if i%3 == 2 {
					p.Type = "nothing"
				}
				if !yield(p) {
					return
				}
			}
		}
	}
}

// stuckAfter yields so many submits, and then waits for the end of its context, as a
// reader of a terminal does.
func stuckAfter(n int) func(context.Context) iter.Seq[schema.SubmitParams] {
	return func(ctx context.Context) iter.Seq[schema.SubmitParams] {
		return func(yield func(schema.SubmitParams) bool) {
			submits(n)(ctx)(yield)
			<-ctx.Done()
		}
	}
}

func TestSubmitAllAnswersEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		c := rpctest.New(t, builtinTypes()...)
		for range 2 { // a second one does not meet answers of the first
			seen, refused := map[int]uuid.UUID{}, 0
			require.NoError(t, c.SubmitAll(t.Context(), 7, submits(n), func(a client.SubmitAnswer) error {
				require.NotContains(t, seen, a.Index)
				require.LessOrEqual(t, a.Pending, 7)
				seen[a.Index] = a.ID
				if a.Index%3 == 2 {
					refused++
					e, ok := errors.AsType[*wire.Error](a.Err)
					require.True(t, ok)
					require.Equal(t, schema.CodeUnknownType, e.Code)
					return nil
				}
				var r schema.SubmitResult
				require.NoError(t, a.Err)
				require.NoError(t, json.Unmarshal(a.Result, &r))
				require.Equal(t, a.ID, r.ID)
				require.Equal(t, fmt.Sprint(a.Index), r.Labels["n"])
				return nil
			}))
			require.Len(t, seen, n)
			require.Equal(t, n/3, refused)
		}
		stats, err := c.Stats(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 2*(n-n/3), stats.Totals.Submitted)
	})
}

// TestSubmitAllEnds: by an error of its caller, or by the context. The client can be
// used on.
func TestSubmitAllEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, builtinTypes()...)
		enough := errors.New("enough")
		ctx, stop := context.WithCancelCause(t.Context())
		require.ErrorIs(t, c.SubmitAll(ctx, 10, submits(1000), func(a client.SubmitAnswer) error {
			if a.Index >= 20 {
				return enough
			}
			return nil
		}), enough)
		require.ErrorIs(t, c.SubmitAll(t.Context(), 10, stuckAfter(1), func(client.SubmitAnswer) error { return enough }), enough)
		require.ErrorIs(t, c.SubmitAll(ctx, 10, stuckAfter(1), func(client.SubmitAnswer) error { stop(enough); return nil }), enough)
		require.NoError(t, c.SubmitAll(t.Context(), 10, submits(1), func(a client.SubmitAnswer) error { return a.Err }))
		require.NoError(t, c.SubmitAll(t.Context(), 10, submits(0), nil))
		_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "sleep", Input: jsontext.Value(`{"durationMs":1}`)})
		require.NoError(t, err)
	})
}

// TestSubmitAllWithoutServer: the end of the connection ends it.
func TestSubmitAllWithoutServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, builtinTypes()...)
		err := c.SubmitAll(t.Context(), 1, stuckAfter(11), func(a client.SubmitAnswer) error {
			if a.Index == 10 {
				return c.Close()
			}
			return nil
		})
		require.Error(t, err)
	})
}
