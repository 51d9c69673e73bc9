package executor_test

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestLosslessOutputInSmallPiecesIsBounded: each change of the stream is an event
// that waits for its reader, and costs more than its bytes.
func TestLosslessOutputInSmallPiecesIsBounded(t *testing.T) {
	const writes, most = 20_000, 2000
	small := executor.MustDefine("small", func(ctx context.Context, _ empty) (empty, error) {
		for n := range writes {
			if _, err := executor.Output(ctx, schema.Stream(n%2)).Write([]byte{'x'}); err != nil {
				return empty{}, err
			}
		}
		return empty{}, nil
	})
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{small}}, func(r *rig) {
		w, err := r.Watch(r.Context())
		require.NoError(r, err)
		defer w.Close()
		p := schema.SubmitParams{Type: "small", ID: uuid.New(), Output: schema.OutputLossless, Events: []string{}}
		record, err := r.Prepare(&p)
		require.NoError(r, err)
		require.Equal(r, executor.EventMask(0).With(executor.EventOutput), record.Events)
		record.Owner = w.ID()
		reader := r.ReadOutput(w, p.ID)
		_, err = r.Submit(r.Context(), []executor.Record{record})
		require.NoError(r, err)
		seen := 0
		for fresh := 1; fresh > 0; {
			events := r.drain(w)
			fresh = 0
			for _, ev := range events {
				if ev.Kind == executor.EventOutput {
					fresh++
					reader.Sent(ev.Stream, ev.End)
				}
			}
			require.Less(r, fresh, most)
			seen += fresh
		}
		require.Equal(r, writes, seen)
		r.inState(p.ID, schema.Completed)
		require.True(r, reader.Waited())
		reader.Leave()
		require.False(r, reader.Waited())
	})
}
