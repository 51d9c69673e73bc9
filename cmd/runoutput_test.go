package cmd

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// TestOutputThatIsLostIsSaid has a store that keeps ten bytes of thirty.
func TestOutputThatIsLostIsSaid(t *testing.T) {
	type nothing struct{}
	chatty := executor.MustDefine("chatty", func(ctx context.Context, _ nothing) (nothing, error) {
		_, err := io.WriteString(executor.Output(ctx, schema.Stdout), "0123456789abcdefghij\x1b[1m\xff\xfe\n789")
		return nothing{}, err
	})
	ex, err := executor.New(memory.New(memory.Options{MaxOutput: 10}), executor.Options{Types: []executor.Type{chatty}})
	require.NoError(t, err)
	client := rpctest.Connect(t, ex, rpc.Options{})
	for _, events := range [][]string{{schema.EventOutput, schema.EventFinished}, {schema.EventFinished}} {
		show, out, said := onPipes()
		f := &follower{client: client, show: show, outputOnly: true}
		submitted, err := client.Submit(t.Context(), schema.SubmitParams{Type: "chatty", Events: events})
		require.NoError(t, err)
		task, err := f.follow(t.Context(), submitted.ID, nil)
		require.NoError(t, err)
		require.ErrorContains(t, f.end(task), "the output is not complete")
		require.Equal(t, "\x1b[1m\xff\xfe\n789", out.String())
		require.Equal(t, "jobline: stdout lacks 20 bytes: the output came too fast\n", said.String())
	}
}
