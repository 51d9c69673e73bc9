//go:build unix

package client_test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sourcegraph/jsonrpc2"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/client"
)

// A process that the server has left behind, and that holds its stderr open,
// hides its end from nobody.
func TestSpawnedServerLeavesAProcess(t *testing.T) {
	c, err := client.Spawn(t.Context(), exec.Command("sh", "-c", "sleep 600 <&- >&- & echo $! >&2"))
	require.NoError(t, err)
	_, err = c.Stats(t.Context())
	require.ErrorIs(t, err, jsonrpc2.ErrClosed)
	var ended *client.ServerEndedError
	require.ErrorAs(t, err, &ended)
	require.Zero(t, ended.ExitCode)
	require.NoError(t, c.Close())
	left, err := strconv.Atoi(strings.TrimSpace(ended.Stderr))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(left, syscall.SIGKILL))
}

// A server that only hangs up has not ended.
func TestSpawnedServerHangsUp(t *testing.T) {
	cmd := exec.Command("sh", "-c", "exec sleep 600 <&- >&-")
	c, err := client.Spawn(t.Context(), cmd)
	require.NoError(t, err)
	_, err = c.Stats(t.Context())
	require.Error(t, err)
	var ended *client.ServerEndedError
	require.NotErrorAs(t, err, &ended)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, c.Close())
}
