package client_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// TestInputBeforeTheStart: a task that is running for the store, and whose code has not
// started, is sent its input when it has.
func TestInputBeforeTheStart(t *testing.T) {
	slow := executor.MustDefine("slow", func(ctx context.Context, _ struct{}) (string, error) {
		time.Sleep(time.Minute)
		in := executor.Inputs(ctx)
		executor.Started(ctx, 0)
		all, err := io.ReadAll(in)
		return string(all), err
	}, executor.StartsItself())
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, slow)
		task, err := c.Submit(t.Context(), schema.SubmitParams{Type: "slow"})
		require.NoError(t, err)
		w := c.InputWriter(t.Context(), task.ID)
		_, err = io.WriteString(w, "early")
		require.NoError(t, err)
		require.NoError(t, w.Close())
		ended, err := c.WaitFor(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, `"early"`, string(ended.Result))
	})
}
