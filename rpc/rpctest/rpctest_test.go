package rpctest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

type backupInput struct {
	Disk string `json:"disk"`
}

type backupResult struct {
	Took string `json:"took"`
}

// backup is a task as a program would write it.
func backup(ctx context.Context, in backupInput) (backupResult, error) {
	if in.Disk == "" {
		return backupResult{}, errors.New("no disk")
	}
	select {
	case <-time.After(time.Hour):
		return backupResult{Took: "an hour"}, nil
	case <-ctx.Done():
		return backupResult{}, context.Cause(ctx)
	}
}

// The test of a task that sleeps for an hour takes no time.
func TestAnHourTakesNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := rpctest.New(t, executor.MustDefine("backup", backup))
		began := time.Now()
		task, err := client.Submit(t.Context(), schema.SubmitParams{Type: "backup", Input: jsontext.Value(`{"disk":"sda"}`)})
		require.NoError(t, err)
		final, err := client.WaitFor(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, final.State)
		require.JSONEq(t, `{"took":"an hour"}`, string(final.Result))
		require.Equal(t, time.Hour, time.Since(began))
	})
}

// What still runs when a test ends is cancelled.
func TestEndCancels(t *testing.T) {
	stopped := make(chan error, 1)
	t.Run("left running", func(t *testing.T) {
		started := make(chan struct{})
		client := rpctest.New(t, executor.MustDefine("stay", func(ctx context.Context, _ struct{}) (struct{}, error) {
			close(started)
			<-ctx.Done()
			stopped <- context.Cause(ctx)
			return struct{}{}, context.Cause(ctx)
		}))
		_, err := client.Submit(t.Context(), schema.SubmitParams{Type: "stay"})
		require.NoError(t, err)
		<-started
	})
	require.ErrorIs(t, <-stopped, context.Canceled)
}
