package sqlitetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Opener opens a store in the file of a path.
type Opener func(ctx context.Context, path string) (executor.Store, error)

// Sample is the file of a closed store with the tasks of Fill.
func Sample(t *testing.T, open Opener) (path string, ids []uuid.UUID) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "tasks.db")
	s, err := open(t.Context(), path)
	require.NoError(t, err)
	Fill(t, s, &ids)
	require.NoError(t, s.Close())
	return path, ids
}

// Killed is the file of a store as a killed process leaves it, with the tasks of Fill, some of
// which are only in its log.
func Killed(t *testing.T, open Opener) (path string, ids []uuid.UUID) {
	t.Helper()
	from := filepath.Join(t.TempDir(), "tasks.db")
	s, err := open(t.Context(), from)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	Fill(t, s, &ids)
	path = filepath.Join(t.TempDir(), "tasks.db")
	CopyFiles(t, from, path)
	return path, ids
}

// Fill adds a task of each kind: 1 completed with labels and output, 2 failed with a large
// input, 3 cancelled, 4 interrupted while it ran and to run again, 5 queued.
func Fill(t *testing.T, s executor.Store, ids *[]uuid.UUID) {
	t.Helper()
	add := func(set ...func(*executor.Submission)) {
		r := NewTask(set...)
		Submit(t, s, r)
		*ids = append(*ids, r.ID)
	}
	add(func(r *executor.Submission) { r.Labels = map[string]string{"team": "red", "n": "1"} })
	l, err := ClaimAny(t.Context(), s)
	require.NoError(t, err)
	require.NoError(t, l.Write(schema.Stdout, []byte("hello\n")))
	recorded := make(chan error, 1)
	l.Finish(Completed, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
	add(func(r *executor.Submission) { r.Input = []byte(`"` + strings.Repeat("x", 2*file.LargeInput) + `"`) })
	RunOne(t, s, executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "no"}})
	add()
	_, err = s.Cancel(t.Context(), (*ids)[2:3], executor.Cancellation{Reason: "not wanted"})
	require.NoError(t, err)
	add(func(r *executor.Submission) { r.Rerun = true })
	_, err = ClaimAny(t.Context(), s)
	require.NoError(t, err)
	add()
}

// CopyFiles copies the file of a store that is open, and its log.
func CopyFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+suffix, b, 0o600))
	}
}
