package client_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

func TestClientMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, c := t.Context(), rpctest.New(t, builtinTypes()...)
		submitted, err := c.Submit(ctx, schema.SubmitParams{
			Type: "sleep", Input: jsontext.Value(`{"durationMs":3600000}`), ID: uuid.New(), Priority: new(5),
			TimeoutMs: 7200000, GraceMs: new(int64(10)), Labels: map[string]string{"team": "red"}, Events: []string{},
		})
		require.NoError(t, err)
		task, err := c.WaitFor(ctx, submitted.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, task.State)
		require.JSONEq(t, `{"sleptMs":3600000}`, string(task.Result))
		task, err = c.Status(ctx, schema.StatusParams{ID: submitted.ID, IncludeInput: true})
		require.NoError(t, err)
		require.JSONEq(t, `{"durationMs":3600000}`, string(task.Input))
		cancelled, err := c.Cancel(ctx, schema.CancelParams{ID: submitted.ID})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeAlreadyFinished, cancelled.Outcome)
		list, err := c.List(ctx, schema.ListParams{States: []schema.State{schema.Completed}, Labels: map[string]string{"team": "red"}})
		require.NoError(t, err)
		require.Len(t, list.Tasks, 1)
		output, err := c.Output(ctx, schema.OutputParams{ID: submitted.ID, Stream: new(schema.Stderr)})
		require.NoError(t, err)
		require.True(t, output.EOF)
		types, err := c.Types(ctx)
		require.NoError(t, err)
		require.Len(t, types.Types, len(builtinTypes()))
		stats, err := c.Stats(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, stats.Tasks.Completed)
		document, err := c.Discover(ctx)
		require.NoError(t, err)
		require.JSONEq(t, string(schema.OpenRPC()), string(document))
		ended, err := c.Shutdown(ctx, schema.ShutdownParams{Mode: schema.ShutdownFinish})
		require.NoError(t, err)
		require.Equal(t, schema.ShutdownResult{}, ended)
	})
}

func TestClientErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, builtinTypes()...)
		_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "sleep", Input: jsontext.Value(`{}`)})
		var refused *wire.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, schema.CodeInvalidParams, refused.Code)
		require.Equal(t, "invalidParams", refused.Data.Kind)
		require.Len(t, refused.Data.Violations, 1)
	})
}

func TestClientEventsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, builtinTypes()...)
		const tasks = 50
		go func() {
			for range tasks {
				_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "squirrel", Input: jsontext.Value(`{"durationMs":300}`)})
				require.NoError(t, err)
			}
		}()
		seen := map[uuid.UUID][]string{}
		finished := 0
		for ev := range c.Events(t.Context()) {
			kind := "progress"
			if ev.Started != nil {
				kind = "started"
			} else if ev.Finished != nil {
				kind, finished = "finished", finished+1
			}
			seen[ev.TaskID()] = append(seen[ev.TaskID()], kind)
			if finished == tasks {
				break
			}
		}
		require.Len(t, seen, tasks)
		for _, kinds := range seen {
			require.Equal(t, []string{"started", "progress", "progress", "progress", "progress", "finished"}, kinds)
		}
	})
}

// A program that is slow to take its events misses output and outdated
// progress, and nothing else; it can tell how much.
func TestClientSlowReaderOfEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, tasks = 10 << 20, 3
		writer := executor.MustDefine("writer", func(ctx context.Context, _ schema.Empty) (schema.Empty, error) {
			piece := bytes.Repeat([]byte("nuts "), 2048)
			for range size / len(piece) {
				if _, err := executor.Output(ctx, schema.Stdout).Write(piece); err != nil {
					return schema.Empty{}, err
				}
				executor.Report(ctx, schema.Progress{Value: float64(time.Now().UnixMilli())})
				time.Sleep(100 * time.Millisecond)
			}
			return schema.Empty{}, nil
		})
		c := rpctest.New(t, writer)
		for range tasks {
			_, err := c.Submit(t.Context(), schema.SubmitParams{Type: "writer", Events: []string{"progress", "output", "finished"}})
			require.NoError(t, err)
		}
		time.Sleep(time.Hour) // nothing has been taken until now
		synctest.Wait()
		next, progress, ends, seq, got := map[uuid.UUID]int64{}, 0, 0, map[uuid.UUID]uint64{}, 0
		var last schema.Task
		rising := func(id uuid.UUID, n uint64) {
			require.Greater(t, n, seq[id])
			seq[id] = n
		}
		for ev := range c.Events(t.Context()) {
			switch {
			case ev.Output != nil:
				rising(ev.Output.ID, ev.Output.Seq)
				require.Equal(t, next[ev.Output.ID]+ev.Output.Gap, ev.Output.Offset)
				next[ev.Output.ID] = ev.Output.Offset + int64(len(ev.Output.Data))
				got += len(ev.Output.Data)
			case ev.Progress != nil:
				rising(ev.Progress.ID, ev.Progress.Seq)
				progress++
			case ev.Finished != nil:
				rising(ev.Finished.ID, ev.Finished.Seq)
				last = ev.Finished.Task
				ends++
			}
			if ends == tasks {
				break
			}
		}
		require.Greater(t, last.OutputBytes.Stdout, int64(size-(16<<10)))
		require.Less(t, progress, 2000, "most of 3,000 are out of date")
		require.Less(t, got, 9<<20)
		for _, n := range next {
			require.Equal(t, last.OutputBytes.Stdout, n, "what is missing at the end is told as a gap, too")
		}
	})
}

// When the server has died, calls fail at once, those that are pending and
// those that come.
func TestClientOfDeadServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		c := client.New(t.Context(), near, wire.FramingLine)
		pending := make(chan error, 1)
		go func() {
			_, err := c.Stats(t.Context())
			pending <- err
		}()
		synctest.Wait()
		require.NoError(t, far.Close())
		require.ErrorIs(t, <-pending, jsonrpc2.ErrClosed)
		_, err := c.Types(t.Context())
		require.ErrorIs(t, err, jsonrpc2.ErrClosed)
		for range c.Events(t.Context()) {
			require.Fail(t, "an event of nobody")
		}
		require.NoError(t, c.Close())
	})
}

// A call ends with its context; a wait that nobody waits for any more is taken
// off the server.
func TestClientCancelledCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, builtinTypes()...)
		task, err := c.Submit(t.Context(), schema.SubmitParams{Type: "sleep", Input: jsontext.Value(`{"durationMs":60000}`)})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.WaitFor(ctx, task.ID)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		stats, err := c.Stats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats.Connection.PendingWaits)
		require.EqualValues(t, 1, stats.Tasks.Running, "the task goes on")
	})
}

// What a server says that is not known here, or is no message, harms nothing.
func TestClientOfStrangeServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := rpctest.Pipe()
		c := client.New(t.Context(), near, wire.FramingLine)
		go func() { _, _ = io.Copy(io.Discard, far) }()
		id := uuid.New()
		_, err := fmt.Fprintf(far, "hello\n{\"jsonrpc\":\"2.0\",\"method\":\"task/started\",\"params\":[]}\n"+
			"{\"jsonrpc\":\"2.0\",\"method\":\"task/vanished\",\"params\":{}}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"task/started\",\"params\":{}}\n"+
			"{\"jsonrpc\":\"2.0\",\"method\":\"task/started\",\"params\":{\"id\":%q,\"new\":1}}\n", id)
		require.NoError(t, err)
		require.NoError(t, far.Close())
		var got []client.Event
		for ev := range c.Events(t.Context()) {
			got = append(got, ev)
		}
		require.Len(t, got, 1)
		require.Equal(t, id, got[0].TaskID())
		require.NoError(t, c.Close())
	})
}
