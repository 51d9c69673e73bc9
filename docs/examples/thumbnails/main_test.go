package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

func TestThumbnails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // time is virtual: the test takes none
		client := rpctest.New(t, executor.MustDefine("thumbnails", thumbnails))
		began := time.Now()

		task, err := client.Submit(t.Context(), schema.SubmitParams{
			Type: "thumbnails", Input: []byte(`{"files":["a.png","b.png"]}`),
		})
		require.NoError(t, err)
		done, err := client.WaitFor(t.Context(), task.ID)

		require.NoError(t, err)
		require.Equal(t, schema.Completed, done.State)
		require.JSONEq(t, `{"made":2}`, string(done.Result))
		require.Equal(t, 400*time.Millisecond, time.Since(began))
	})
}

func TestInputIsChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := rpctest.New(t, executor.MustDefine("thumbnails", thumbnails))
		_, err := client.Submit(t.Context(), schema.SubmitParams{Type: "thumbnails", Input: []byte(`{"files":[1]}`)})
		require.ErrorContains(t, err, "input at /files/0: got number, want string")
	})
}
