//go:build unix

package cmd

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var pairs = flag.Int("pairs", 50, "how often two servers are started at once with one store")

// contender is a server that may or may not get the store.
type contender struct {
	*exec.Cmd
	in     io.WriteCloser
	out    io.Reader
	stderr bytes.Buffer
}

func contend(t *testing.T, store string) *contender {
	t.Helper()
	p := &contender{Cmd: exec.CommandContext(t.Context(), "jobline", "serve", "--store", store)}
	p.Stderr = &p.stderr
	var err error
	p.in, err = p.StdinPipe()
	require.NoError(t, err)
	p.out, err = p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	_, _ = fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":1,"method":"stats"}`) // one that has ended reads nothing
	return p
}

// answers waits until the server has answered, or ended.
func (p *contender) answers() bool {
	line, _ := bufio.NewReader(p.out).ReadString('\n')
	return strings.Contains(line, `"result"`)
}

// TestTwoServersAtOnce starts two servers with one store: one has it, the other
// says who. Where the one was killed, the next gets it at once.
func TestTwoServersAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a hundred processes")
	}
	store := filepath.Join(t.TempDir(), "tasks.db")
	for range *pairs {
		both := [2]*contender{contend(t, store), contend(t, store)}
		first, second := both[0].answers(), both[1].answers()
		require.NotEqual(t, first, second, "%s\n%s", &both[0].stderr, &both[1].stderr)
		winner, loser := both[0], both[1]
		if second {
			winner, loser = loser, winner
		}
		require.Error(t, loser.Wait())
		require.Equal(t, 1, loser.ProcessState.ExitCode())
		require.Equal(t, 1, strings.Count(loser.stderr.String(), "\n"), &loser.stderr)
		require.Contains(t, loser.stderr.String(), fmt.Sprintf("held by process %d ", winner.Process.Pid))
		require.NoError(t, winner.Process.Kill())
		require.Error(t, winner.Wait())
	}
}
