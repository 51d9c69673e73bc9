//go:build unix

package cmd

import (
	"bufio"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/socket"
)

// olderAnswers are what a server answered, as the member result or error, that knew neither what
// tasks wait for nor their attempts. A status that asks for less than all is answered.
var olderAnswers = map[string]string{
	"initialize": `"result":{"serverInfo":{"name":"jobline","version":"devel","pid":7},"protocolVersion":"1","capabilities":{"shared":true,"durable":true},"limits":{},"seq":5}`,
	"status":     `"result":{"id":"018f0000-0000-7000-8000-00000000000a","type":"noop","state":"queued","priority":0,"attempt":0,"labels":{},"createdAt":"2026-01-31T12:00:00Z"}`,
	"explain":    `"error":{"code":-32601,"message":"no method is named \"explain\"; rpc.discover lists them","data":{"kind":"methodNotFound","retryable":false}}`,
	"list":       `"error":{"code":-32602,"message":"params at /parent: unknown member; known are \"states\", \"types\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/parent","message":"unknown member; known are \"states\", \"types\""}]}}`,
	"submit":     `"error":{"code":-32602,"message":"params at /retry: unknown member; known are \"type\", \"input\"; at /dryRun: unknown member; known are \"type\", \"input\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/retry","message":"unknown member; known are \"type\", \"input\""},{"pointer":"/dryRun","message":"unknown member; known are \"type\", \"input\""}]}}`,
	"stats":      `"result":{"store":{"kind":"memory"}}`,
	"cancel":     `"result":{"outcome":"cancelled","task":{"id":"018f0000-0000-7000-8000-00000000000a","type":"noop","state":"cancelled","priority":0,"attempt":0,"labels":{},"createdAt":"2026-01-31T12:00:00Z"}}`,
}

const olderStatus = `"error":{"code":-32602,"message":"params at /includeTerms: unknown member; known are \"id\", \"includeInput\"","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/includeTerms","message":"unknown member; known are \"id\", \"includeInput\""}]}}`

// olderServer answers as a server of an older version, and returns the path of its socket.
func olderServer(t *testing.T) string {
	t.Helper()
	path := filepath.Join(socketDirOf(t), "s")
	s, err := socket.Reserve(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	ended := make(chan struct{})
	go func() { // ends with the socket; the commands come one after the other
		defer close(ended)
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				var asked struct {
					ID     jsontext.Value `json:"id"`
					Method string         `json:"method"`
				}
				if json.Unmarshal(lines.Bytes(), &asked) != nil {
					break
				}
				answer := olderAnswers[asked.Method]
				if asked.Method == "status" && strings.Contains(lines.Text(), "includeTerms") {
					answer = olderStatus
				}
				fmt.Fprintf(conn, `{"jsonrpc":"2.0","id":%s,%s}`+"\n", asked.ID, answer)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, s.Retire())
		require.NoError(t, s.Release())
		<-ended
	})
	return path
}

// TestCommandsOnAnOlderServer work as far as it can answer, and else say how to come to a newer
// one.
func TestCommandsOnAnOlderServer(t *testing.T) {
	path := olderServer(t)
	const id = "018f0000-0000-7000-8000-00000000000a"
	const cure = "jobline shutdown ends it when the tasks that run have ended, and the next command starts the new one, which goes on with the tasks in its store"
	for _, c := range []struct {
		args, want string
		code       int
	}{
		{"status " + id, "state      queued", 0},
		{"cancel " + id, id + " cancelled", 0},
		{"explain " + id, `jobline: the server that runs is older than this program, and does not know "explain"; ` + cure, 1},
		{"list --parent " + id, "jobline: the server that runs is older than this program, and does not know --parent; " + cure, 1},
		{"submit noop --retry 1 --dry-run", "jobline: noop was not run: the server that runs is older than this program, and does not know --retry, --dry-run; " + cure, 125},
	} {
		command := exec.Command("jobline", append(strings.Fields(c.args), "--socket", path)...)
		out, err := command.CombinedOutput()
		require.Equal(t, c.code, command.ProcessState.ExitCode(), "%s: %v: %s", c.args, err, out)
		require.Contains(t, string(out), c.want)
	}
}
