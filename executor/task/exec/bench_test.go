package exec

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// atTwo runs f from two goroutines in parallel, whatever the number of CPUs.
func atTwo(b *testing.B, f func() error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	b.SetParallelism(1)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := f(); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkBareExec is what BenchmarkExec is to be at least 0.8 of.
func BenchmarkBareExec(b *testing.B) {
	atTwo(b, func() error { return exec.Command("true").Run() })
}

// BenchmarkPipedExec is a bare loop that reads the output, as a command does.
func BenchmarkPipedExec(b *testing.B) {
	atTwo(b, func() error {
		cmd := exec.Command("true")
		cmd.Stdout, cmd.Stderr = plainWriter{}, plainWriter{}
		return cmd.Run()
	})
}

func BenchmarkExec(b *testing.B) {
	c, err := New(Options{})
	require.NoError(b, err)
	defer c.Close()
	ctx := context.Background()
	atTwo(b, func() error {
		_, err := c.Run(ctx, Input{Argv: []string{"true"}})
		return err
	})
}

// BenchmarkExecTask goes through an executor with two workers.
func BenchmarkExecTask(b *testing.B) {
	c, err := New(Options{})
	require.NoError(b, err)
	defer c.Close()
	typ, err := c.Type()
	require.NoError(b, err)
	store := memory.New(memory.Options{})
	defer store.Close()
	e, err := executor.New(store, executor.Options{Types: []executor.Type{typ}, Limit: 2})
	require.NoError(b, err)
	b.ResetTimer()
	records := make([]executor.Submission, b.N)
	for i := range records {
		records[i], err = e.Prepare(&schema.SubmitParams{
			Type: TypeName, Input: []byte(`{"argv":["true"]}`), ID: uuid.New(),
		})
		require.NoError(b, err)
	}
	_, err = e.Submit(b.Context(), records)
	require.NoError(b, err)
	e.Begin(schema.ShutdownDrain)
	require.NoError(b, e.Run(context.Background()))
	sum, err := e.Shutdown(context.Background(), schema.ShutdownDrain, 0)
	require.NoError(b, err)
	require.EqualValues(b, b.N, sum.Completed)
}

// plainWriter is io.Discard without its short cuts.
type plainWriter struct{}

func (plainWriter) Write(p []byte) (int, error) { return io.Discard.Write(p) }
