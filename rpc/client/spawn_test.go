package client_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/task/builtin"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

const serveVariable = "JOBLINE_TEST_SERVE"

// refusal is what a server says that refuses to start.
const refusal = "jobline: another process has the store open: end it first"

// TestMain makes a server of the test's binary where a test has started it as one.
func TestMain(m *testing.M) {
	switch os.Getenv(serveVariable) {
	case "":
	case "refuse":
		fmt.Fprintf(os.Stderr, "%s\n%s\n\n", strings.Repeat("long ", 20_000), refusal)
		os.Exit(3)
	default:
		stdio.Main(builtinTypes()...)
	}
	os.Exit(m.Run())
}

// builtinTypes are the task types that ship.
func builtinTypes() []executor.Type {
	types, err := builtin.Types()
	if err != nil {
		panic(err)
	}
	return types
}

// child is the command of a server.
func child() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveVariable+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

func TestSpawn(t *testing.T) {
	c, err := client.Spawn(t.Context(), child())
	require.NoError(t, err)
	task, err := c.Submit(t.Context(), schema.SubmitParams{Type: "noop"})
	require.NoError(t, err)
	task.Task, err = c.WaitFor(t.Context(), task.ID)
	require.NoError(t, err)
	require.Equal(t, schema.Completed, task.State)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close(), "closing again changes nothing")
	_, err = client.Spawn(t.Context(), exec.Command("/does/not/exist"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A server that was killed is told of by its calls and by Close.
func TestSpawnedServerIsKilled(t *testing.T) {
	cmd := child()
	c, err := client.Spawn(t.Context(), cmd)
	require.NoError(t, err)
	task, err := c.Submit(t.Context(), schema.SubmitParams{Type: "sleep", Input: jsontext.Value(`{"durationMs":60000}`)})
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_, err = c.WaitFor(t.Context(), task.ID)
	require.ErrorIs(t, err, jsonrpc2.ErrClosed)
	var ended *client.ServerEndedError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, -1, ended.ExitCode)
	require.ErrorContains(t, err, "wait: the server has ended (signal: killed)")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.ErrorAs(t, c.Close(), &exit)
}

// A server that refuses to start is told of by every call, with what it said.
func TestSpawnedServerRefuses(t *testing.T) {
	for name, stderr := range map[string]*bytes.Buffer{"its own stderr": nil, "a stderr of ours": new(bytes.Buffer)} {
		t.Run(name, func(t *testing.T) {
			cmd := child()
			cmd.Env = append(cmd.Env, serveVariable+"=refuse")
			cmd.Stderr = nil
			if stderr != nil {
				cmd.Stderr = stderr
			}
			c, err := client.Spawn(t.Context(), cmd)
			require.NoError(t, err)
			for range 3 {
				_, err = c.Submit(t.Context(), schema.SubmitParams{Type: "noop"})
				require.EqualError(t, err, "submit: the server has ended (exit status 3): "+refusal)
				var ended *client.ServerEndedError
				require.ErrorAs(t, err, &ended)
				require.Equal(t, 3, ended.ExitCode)
				require.Len(t, ended.Stderr, 4096)
				require.True(t, strings.HasSuffix(ended.Stderr, "long \n"+refusal+"\n\n"))
				var exit *exec.ExitError
				require.ErrorAs(t, err, &exit)
			}
			for range c.Events(t.Context()) {
				require.Fail(t, "an event of nobody")
			}
			require.Error(t, c.Close())
			if stderr != nil {
				require.Len(t, stderr.String(), 100_000+len(refusal)+3)
			}
		})
	}
}

// That a client has closed its server itself is no news to its calls.
func TestSpawnedServerIsClosed(t *testing.T) {
	c, err := client.Spawn(t.Context(), child())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = c.Stats(t.Context())
	require.EqualError(t, err, "stats: "+jsonrpc2.ErrClosed.Error())
}
