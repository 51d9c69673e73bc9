package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const serveVariable = "DURABLE_TEST_SERVE" // in the environment of a test's child, which is the program

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

func start(t *testing.T, store string) *client.Client {
	server := exec.Command(os.Args[0], store)
	server.Env = append(os.Environ(), serveVariable+"=1")
	server.Stderr = os.Stderr
	client, err := client.Spawn(t.Context(), server)
	require.NoError(t, err)
	return client
}

func TestTasksOutliveTheServer(t *testing.T) {
	text := filepath.Join(t.TempDir(), "words.txt")
	require.NoError(t, os.WriteFile(text, []byte("one two three"), 0o600))
	store := filepath.Join(t.TempDir(), "tasks.db")

	client := start(t, store)
	counted, err := client.Submit(t.Context(), schema.SubmitParams{
		Type: "countWords", Input: []byte(`{"file":"` + filepath.ToSlash(text) + `"}`),
	})
	require.NoError(t, err)
	ran, err := client.Submit(t.Context(), schema.SubmitParams{Type: "exec", Input: []byte(`{"argv":["go","version"]}`)})
	require.NoError(t, err)
	_, err = client.Wait(t.Context(), schema.WaitParams{IDs: []uuid.UUID{counted.ID, ran.ID}})
	require.NoError(t, err)
	require.NoError(t, client.Close())

	client = start(t, store)
	task, err := client.Status(t.Context(), schema.StatusParams{ID: counted.ID})
	require.NoError(t, err)
	require.JSONEq(t, `{"words":3}`, string(task.Result))
	task, err = client.Status(t.Context(), schema.StatusParams{ID: ran.ID})
	require.NoError(t, err)
	require.Equal(t, schema.Completed, task.State)
	require.NoError(t, client.Close())
}
