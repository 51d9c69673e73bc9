//go:build unix

package cmd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

// TestTasksOutliveTheirServer ends a server in each of the ways that nobody has
// asked for. The next one runs what was left, and knows what became of the rest.
func TestTasksOutliveTheirServer(t *testing.T) {
	for name, end := range map[string]func(*program) error{
		"the client has gone": func(p *program) error {
			_ = p.in.Close()
			return p.out.Close()
		},
		"stdout has gone": func(p *program) error { return p.out.Close() },
		"SIGTERM":         func(p *program) error { return p.Process.Signal(syscall.SIGTERM) },
		"SIGHUP":          func(p *program) error { return p.Process.Signal(syscall.SIGHUP) },
		"SIGKILL":         func(p *program) error { return p.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := filepath.Join(t.TempDir(), "tasks.db")
			again, once := uuid.New(), uuid.New()
			p := start(t, "serve", "--limit=2", "--store", store)
			for id, rerun := range map[uuid.UUID]bool{again: true, once: false} {
				fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"id":"%s","rerun":%v,"type":"exec","input":{"argv":["sleep","86400"]}}}`+"\n", id, rerun)
				p.until(t, "task/started")
			}
			var waiting []string
			for range 3 {
				id := uuid.New()
				waiting = append(waiting, `"`+id.String()+`"`)
				fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"queued","method":"submit","params":{"id":"%s","type":"noop"}}`+"\n", id)
				p.until(t, `"queued"`)
			}
			require.NoError(t, end(p))
			_ = p.Wait() // its error is the exit code

			p = start(t, "serve", "--limit=2", "--store", store)
			fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"ends","method":"wait","params":{"ids":[%s,"%s"]}}`+"\n", strings.Join(waiting, ","), once)
			ends := waited(t, p, "ends")
			for i := range waiting {
				require.Equal(t, schema.Completed, ends[i].State)
			}
			interrupted := ends[len(waiting)]
			require.Equal(t, schema.Failed, interrupted.State)
			require.Equal(t, schema.KindInterrupted, interrupted.Error.Kind)
			fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"cancel","method":"cancel","params":{"id":"%[1]s","force":true}}`+"\n"+
				`{"jsonrpc":"2.0","id":"end","method":"wait","params":{"ids":["%[1]s"]}}`+"\n", again)
			rerun := waited(t, p, "end")[0]
			require.Equal(t, schema.Cancelled, rerun.State)
			require.EqualValues(t, 2, rerun.Attempt)
			require.NoError(t, p.in.Close())
			_, code := p.exit(t)
			require.Zero(t, code)
		})
	}
}

// waited is the answer of a wait.
func waited(t *testing.T, p *program, id string) []schema.Task {
	t.Helper()
	all := strings.Split(strings.TrimSpace(p.until(t, `"id":"`+id+`"`)), "\n")
	var reply struct{ Result schema.WaitResult }
	require.NoError(t, json.Unmarshal([]byte(all[len(all)-1]), &reply))
	return reply.Result.Tasks
}

// TestAStoreThatCannotBeClosedIsToldOf ends a server by a signal while its store
// cannot be written any more: that is a fault, which the signal does not hide.
func TestAStoreThatCannotBeClosedIsToldOf(t *testing.T) {
	store := filepath.Join(t.TempDir(), "tasks.db")
	p := start(t, "serve", "--store", store)
	fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":1,"method":"stats"}`)
	p.until(t, `"id":1`)
	require.NoError(t, os.Remove(store+".lock"))
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	_, code := p.exit(t)
	require.Equal(t, stdio.ExitFault, code)
	require.Contains(t, p.stderr.String(), "jobline: serve: close the store: the store is unavailable: ")
	require.Contains(t, p.stderr.String(), "tasks.db.lock was removed or replaced while it was in use")
}
