//go:build unix

package cmd

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// TestRetriesOutliveTheirServer ends a server while one task waits for its next attempt and two
// run, twice. No attempt is lost, none is run too often, and the times hold.
func TestRetriesOutliveTheirServer(t *testing.T) {
	for name, end := range map[string]func(*program) error{
		"SIGTERM": func(p *program) error { return p.Process.Signal(syscall.SIGTERM) },
		"SIGKILL": func(p *program) error { return p.Process.Kill() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := filepath.Join(t.TempDir(), "tasks.db")
			waits, runs, twice := uuid.New(), uuid.New(), uuid.New()
			p := start(t, "serve", "--limit=3", "--store", store)
			submit := func(id uuid.UUID, argv, retry, until string) {
				fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"id":"%s","rerun":true,"type":"exec","input":{"argv":[%s]},"retry":{%s}}}`+"\n", id, argv, retry)
				p.until(t, until)
			}
			submit(waits, `"sh","-c","echo one; exit 3"`, `"maxAttempts":3,"delayMs":3600000`, "task/retrying")
			submit(runs, `"sleep","86400"`, `"maxAttempts":3,"delayMs":3600000`, "task/started")
			submit(twice, `"sleep","86400"`, `"maxAttempts":2,"delayMs":0`, "task/started")
			before := statusOf(t, p, waits)
			require.Equal(t, schema.WaitsForRetry, before.WaitingFor[0].Kind)
			require.NoError(t, end(p))
			_ = p.Wait() // its error is the exit code

			p = start(t, "serve", "--limit=3", "--store", store)
			require.Equal(t, before, statusOf(t, p, waits))
			require.Equal(t, schema.Span{To: 4}, before.Attempts[0].Output.Stdout)
			interrupted := statusOf(t, p, runs)
			require.Equal(t, schema.Queued, interrupted.State)
			require.Equal(t, schema.WaitsForRetry, interrupted.WaitingFor[0].Kind)
			require.Len(t, interrupted.Attempts, 1)
			require.Equal(t, schema.KindInterrupted, interrupted.Attempts[0].Error.Kind)
			for statusOf(t, p, twice).State != schema.Running {
			}
			require.EqualValues(t, 2, statusOf(t, p, twice).Attempt)
			require.NoError(t, end(p))
			_ = p.Wait()

			p = start(t, "serve", "--limit=3", "--store", store)
			require.Equal(t, interrupted, statusOf(t, p, runs))
			over := statusOf(t, p, twice)
			require.Equal(t, schema.Failed, over.State)
			require.Equal(t, schema.KindInterrupted, over.Error.Kind)
			require.Len(t, over.Attempts, 2)
			require.NoError(t, p.Process.Kill())
			_ = p.Wait()
		})
	}
}

// statusOf is a task with its attempts.
func statusOf(t *testing.T, p *program, id uuid.UUID) schema.Task {
	t.Helper()
	asked := uuid.NewString()
	fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"%s","method":"status","params":{"id":"%s","includeAttempts":true}}`+"\n", asked, id)
	all := strings.Split(strings.TrimSpace(p.until(t, asked)), "\n")
	var reply struct{ Result schema.Task }
	require.NoError(t, json.Unmarshal([]byte(all[len(all)-1]), &reply))
	return reply.Result
}
