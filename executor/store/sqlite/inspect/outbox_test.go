package inspect_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/outboxfile"
	"github.com/jobline/jobline/schema"
)

// The file of an outbox is described beside the server that has it, and without one. Nothing of it is changed.
func TestOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	f, _, err := outboxfile.Open(t.Context(), path, "jobs")
	require.NoError(t, err)
	info, err := inspect.Outbox(t.Context(), path)
	require.NoError(t, err)
	require.Contains(t, info.HeldBy, "process ")
	require.Equal(t, inspect.OutboxInfo{HeldBy: info.HeldBy, Namespace: "jobs"}, info)
	var all []outbox.Entry
	for i := range 3 {
		e := outbox.Entry{Number: int64(i + 1)}
		e.Record.ID, e.Record.Type, e.Record.CreatedAt, e.Record.Input = uuid.New(), "noop", schema.Time(1_000_000_007+i), []byte("{}")
		all = append(all, e)
	}
	all[1].Refused = "the queue is full"
	require.NoError(t, f.Write(outbox.Change{Add: all}))
	want := inspect.OutboxInfo{HeldBy: info.HeldBy, Namespace: "jobs", Waiting: 2, Refused: 1, Oldest: 1_000_000_007}
	info, err = inspect.Outbox(t.Context(), path)
	require.NoError(t, err)
	require.Equal(t, want, info)
	require.NoError(t, f.Close())

	before := looks(t, path)
	info, err = inspect.Outbox(t.Context(), path)
	require.NoError(t, err)
	want.HeldBy = ""
	require.Equal(t, want, info)
	require.Equal(t, before, looks(t, path))

	c, err := sqlite3.Open(path)
	require.NoError(t, err)
	require.NoError(t, c.Exec("UPDATE entry SET record=CAST('no JSON' AS BLOB) WHERE number=1"))
	require.NoError(t, c.Close())
	info, err = inspect.Outbox(t.Context(), path)
	require.NoError(t, err, "a damaged entry keeps nothing else from being told")
	require.Equal(t, schema.Time(1_000_000_008), info.Oldest)
}

func TestWhatIsNoOutbox(t *testing.T) {
	text, begun := filepath.Join(t.TempDir(), "text"), filepath.Join(t.TempDir(), "begun")
	require.NoError(t, os.WriteFile(text, []byte("a text that is longer than the head of a file of SQLite, which has a hundred bytes of its own before all pages"), 0o600))
	require.NoError(t, os.WriteFile(begun, nil, 0o600)) // by a process that died
	store, _ := sample(t)
	for path, says := range map[string]string{text: "not a database", store: "is not an outbox of jobline; name another file", filepath.Dir(text): "is a directory"} {
		_, err := inspect.Outbox(t.Context(), path)
		require.ErrorContains(t, err, says, path)
	}
	_, err := inspect.Outbox(t.Context(), text+"2")
	require.ErrorIs(t, err, fs.ErrNotExist)
	info, err := inspect.Outbox(t.Context(), begun)
	require.NoError(t, err)
	require.Zero(t, info)
}
