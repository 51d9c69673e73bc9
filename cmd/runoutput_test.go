package cmd

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

type none struct{}

// chatty writes more than its store keeps.
var chatty = executor.MustDefine("chatty", func(ctx context.Context, _ none) (none, error) {
	_, err := io.WriteString(executor.Output(ctx, schema.Stdout), "0123456789abcdefghij\x1b[1m\xff\xfe\n789")
	return none{}, err
})

func TestOutputThatIsNotKeptIsShown(t *testing.T) {
	ex, err := executor.New(memory.New(memory.Options{MaxOutput: 10}), executor.Options{Types: []executor.Type{chatty}})
	require.NoError(t, err)
	client := rpctest.Connect(t, ex, rpc.Options{})
	show, out, said := onPipes()
	f := &follower{client: client, show: show, outputOnly: true}
	submitted, err := client.Submit(t.Context(), schema.SubmitParams{Type: "chatty", Output: schema.OutputLossless})
	require.NoError(t, err)
	task, err := f.follow(t.Context(), submitted.ID, nil)
	require.NoError(t, err)
	require.NoError(t, f.end(task))
	require.Equal(t, "0123456789abcdefghij\x1b[1m\xff\xfe\n789", out.String())
	require.Empty(t, said.String())
}

// TestOutputThatIsLostIsSaid has a task that goes on although it was told to
// stop, and for which nobody reads meanwhile.
func TestOutputThatIsLostIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 64 << 20 // more than is under way between a task and its reader
		stubborn := executor.MustDefine("stubborn", func(ctx context.Context, _ none) (none, error) {
			for n := 0; n < most; n += 1 << 20 {
				if _, err := io.WriteString(executor.Output(ctx, schema.Stdout), strings.Repeat("x", 1<<20)); err != nil {
					return none{}, err
				}
			}
			return none{}, nil
		})
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{stubborn}})
		require.NoError(t, err)
		client := rpctest.Connect(t, ex, rpc.Options{})
		submitted, err := client.Submit(t.Context(), schema.SubmitParams{Type: "stubborn", Output: schema.OutputLossless})
		require.NoError(t, err)
		synctest.Wait()
		outcome, _, err := ex.Cancel(t.Context(), submitted.ID, executor.Cancellation{})
		require.NoError(t, err)
		require.Equal(t, schema.OutcomeCancelling, outcome)
		time.Sleep(time.Second)
		show, out, said := onPipes()
		f := &follower{client: client, show: show, outputOnly: true}
		task, err := f.follow(t.Context(), submitted.ID, nil)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, task.State)
		require.ErrorContains(t, f.end(task), "the output is not complete")
		require.EqualValues(t, most, int64(out.Len())+f.lost[schema.Stdout])
		require.Regexp(t, "^jobline: stdout lacks [0-9]+ bytes that nobody read before the task had to stop\n$", said.String())
	})
}
