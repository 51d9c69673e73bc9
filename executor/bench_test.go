package executor_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// noop is a type that does nothing, so that what is measured is ours.
func noop() executor.Type {
	return executor.MustDefine("noop", func(context.Context, empty) (empty, error) { return empty{}, nil })
}

// BenchmarkNoop submits tasks in batches of 64, and waits for the end of each
// batch before the next but one.
func BenchmarkNoop(b *testing.B) {
	const batch = 64
	store := memory.New(memory.Options{Keep: 1000})
	e, err := executor.New(store, executor.Options{Types: []executor.Type{noop()}})
	require.NoError(b, err)
	over := make(chan error, 1)
	go func() { over <- e.Run(b.Context()) }()
	w, err := e.Watch(b.Context())
	require.NoError(b, err)
	records := make([]executor.Submission, batch)
	b.ReportAllocs()
	b.ResetTimer()
	for sent, ended := 0, 0; ended < b.N; {
		for sent < b.N && sent-ended <= batch {
			n := min(batch, b.N-sent)
			for i := range n {
				records[i], err = e.Prepare(&schema.SubmitParams{Type: "noop"})
				require.NoError(b, err)
				records[i].Owner = w.ID()
			}
			_, err := e.Submit(b.Context(), records[:n])
			require.NoError(b, err)
			sent += n
		}
		events, err := w.Next(b.Context())
		require.NoError(b, err)
		for i := range events {
			if events[i].Kind == executor.EventFinished {
				ended++
			}
		}
	}
	b.StopTimer()
	e.Begin(schema.ShutdownDrain)
	require.NoError(b, <-over)
}
