package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestLosslessOutputInSmallPiecesIsBounded: a write to another stream than the one
// before, or of another task, is an event that waits for its reader, and costs more
// than its bytes.
func TestLosslessOutputInSmallPiecesIsBounded(t *testing.T) {
	for name, c := range map[string]struct{ tasks, streams int }{"two streams": {1, 2}, "two tasks": {2, 1}} {
		t.Run(name, func(t *testing.T) { losslessInSmallPieces(t, c.tasks, c.streams) })
	}
}

func losslessInSmallPieces(t *testing.T, tasks, streams int) {
	const writes, most = 20_000, 2000
	small := executor.MustDefine("small", func(ctx context.Context, _ empty) (empty, error) {
		for n := range writes {
			time.Sleep(time.Microsecond) // so that tasks write in turn
			if _, err := executor.Output(ctx, schema.Stream(n%streams)).Write([]byte{'x'}); err != nil {
				return empty{}, err
			}
		}
		return empty{}, nil
	})
	withRig(t, executor.Options{Limit: tasks, Types: []executor.Type{small}}, func(r *rig) {
		w, err := r.Watch(r.Context())
		require.NoError(r, err)
		defer w.Close()
		readers := map[uuid.UUID]*executor.OutputReader{}
		for range tasks {
			p := schema.SubmitParams{Type: "small", ID: uuid.New(), Output: schema.OutputLossless, Events: []string{}}
			record, err := r.Prepare(&p)
			require.NoError(r, err)
			require.Equal(r, executor.EventMask(0).With(executor.EventOutput), record.Events)
			record.Owner = w.ID()
			readers[p.ID] = r.ReadOutput(w, p.ID)
			_, err = r.Submit(r.Context(), []executor.Submission{record})
			require.NoError(r, err)
		}
		time.Sleep(time.Minute) // they wait
		var seen int64
		for fresh := 1; fresh > 0; {
			events := r.drain(w)
			fresh = 0
			for _, ev := range events {
				if ev.Kind == executor.EventOutput {
					fresh++
					seen += ev.End - ev.Offset
					readers[ev.ID].Sent(ev.Stream, ev.End)
				}
			}
			require.Less(r, fresh, most)
			time.Sleep(time.Minute)
		}
		require.EqualValues(r, tasks*writes, seen)
		for id, reader := range readers {
			r.inState(id, schema.Completed)
			require.True(r, reader.Waited())
			reader.Leave()
			require.False(r, reader.Waited())
		}
	})
}
