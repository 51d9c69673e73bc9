package outboxfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/schema"
)

func opens(t *testing.T, path string) (*File, []outbox.Entry) {
	t.Helper()
	f, entries, err := Open(t.Context(), path, "jobs")
	require.NoError(t, err)
	return f, entries
}

// entry has something in each of its fields.
func entry(number int64) outbox.Entry {
	e := outbox.Entry{Number: number, Record: executor.Record{Timeout: time.Minute + time.Nanosecond, Grace: time.Second, Rerun: true}}
	e.Record.ID, e.Record.Type, e.Record.Priority, e.Record.CreatedAt = uuid.New(), "exec", -3, schema.Now()
	e.Record.Labels = map[string]string{"build": "7", "name": "Bücher"}
	e.Record.Input = []byte(`{"argv":["true"],"n":1.50}`)
	e.Record.Conditions = &schema.Conditions{
		Group: "g", Key: "k", After: []schema.Dependency{{ID: uuid.New(), On: schema.OnFinish}}, RunAt: schema.Now(), Needs: map[string]int64{"gpu": 1},
		On: map[string]string{"os": "linux"}, Dedupe: &schema.Dedupe{Key: "d", On: schema.DedupeReuse}, Parent: uuid.New(),
	}
	return e
}

// What was written is there for the next process, in order.
func TestEntriesOutliveAProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "outbox.db")
	f, entries := opens(t, path)
	require.Empty(t, entries)
	one, two, three := entry(1), entry(2), entry(3)
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{one, two, three}}))
	one.Tried, three.Refused, three.RefusedAt = true, "the queue is full", schema.Now()
	require.NoError(t, f.Write(outbox.Change{Set: []outbox.Entry{one, three}, Remove: []int64{2}}))
	if runtime.GOOS != "windows" {
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			info, err := os.Stat(path + suffix)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), suffix)
		}
	}
	_, _, err := Open(t.Context(), path, "jobs")
	require.ErrorContains(t, err, "is held by process")
	require.NoError(t, f.Close())
	f, entries = opens(t, path)
	require.Equal(t, []outbox.Entry{one, three}, entries)
	// A change whose outcome was not known may be made again, under another number.
	three.Number = 4
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{three}}))
	require.NoError(t, f.Close())
	f, entries = opens(t, path)
	require.Equal(t, []outbox.Entry{one, three}, entries)
	require.NoError(t, f.Close())
}

// A row that is not what was written is told, with what can be read of it, and costs no other entry. It can be removed, and
// another one with its id takes its place.
func TestDamagedEntryCostsNoOther(t *testing.T) {
	t.Parallel()
	made := idOf(2)
	for change, id := range map[string]*uuid.UUID{
		"tried=1": nil, "refused='no'": nil, "number=5": nil, "record=CAST(replace(record,'exec','xxxx') AS BLOB)": nil, "record=x'00'": nil,
		"id=zeroblob(16)": {}, "id=zeroblob(3)": &made, "sum=sum+1": nil,
	} {
		path := filepath.Join(t.TempDir(), "outbox.db")
		f, _ := opens(t, path)
		all := []outbox.Entry{entry(1), entry(2), entry(7)}
		require.NoError(t, f.Write(outbox.Change{Add: all}))
		require.NoError(t, f.conn.Exec("UPDATE entry SET "+change+" WHERE number=2"))
		require.NoError(t, f.Close())
		f, entries := opens(t, path)
		require.Len(t, entries, 3, change)
		require.Equal(t, all[0], entries[0])
		require.Equal(t, all[2], entries[2])
		require.True(t, entries[1].Damaged, change)
		if id == nil {
			id = &all[1].Record.ID
		}
		require.Equal(t, *id, entries[1].Record.ID, change)
		all[1].Record.ID, all[1].Number = entries[1].Record.ID, 8
		require.NoError(t, f.Write(outbox.Change{Remove: []int64{1, 7}, Add: all[1:2]}))
		if *id == made { // which is not in the file
			require.NoError(t, f.Write(outbox.Change{Remove: []int64{2}}))
		}
		require.NoError(t, f.Close())
		f, entries = opens(t, path)
		require.Equal(t, all[1:2], entries, change)
		require.NoError(t, f.Close())
	}
}

// A file that was cut or is no database is refused by one line, which names it and the cure.
func TestDamagedFileIsRefused(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(whole []byte) []byte{
		"cut":      func(whole []byte) []byte { return whole[:len(whole)/2&^4095] },
		"in pages": func(whole []byte) []byte { return append(whole[:4096], make([]byte, len(whole)-4096)...) },
		"its head": func(whole []byte) []byte { copy(whole, "no database"); return whole },
		"short":    func(whole []byte) []byte { return whole[:50] },
	} {
		path := filepath.Join(t.TempDir(), "outbox.db")
		f, _ := opens(t, path)
		var all []outbox.Entry
		for n := range int64(50) {
			all = append(all, entry(n+1))
		}
		require.NoError(t, f.Write(outbox.Change{Add: all}))
		require.NoError(t, f.Close())
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, damage(whole), 0o600))
		_, _, err = Open(t.Context(), path, "jobs")
		require.ErrorContains(t, err, path+" was cut, or changed by something else", name)
		require.ErrorContains(t, err, "move it and "+path+"-wal away for a new outbox; the submits that waited in it are lost then", name)
		require.NotContains(t, err.Error(), "\n")
	}
}

// What is no outbox is left as it is.
func TestFileOfAnotherProgramIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	text, newer, other := filepath.Join(folder, "text"), filepath.Join(folder, "newer"), filepath.Join(folder, "other")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o600))
	for path, change := range map[string]string{newer: "PRAGMA user_version=2", other: "PRAGMA application_id=7"} {
		f, _ := opens(t, path)
		require.NoError(t, f.conn.Exec(change))
		require.NoError(t, f.Close())
	}
	for path, says := range map[string]string{
		text: "is not an outbox of jobline", other: "is not an outbox of jobline", newer: "was written by a newer jobline", folder: "is a directory", "": "needs the path of a file",
	} {
		_, _, err := Open(t.Context(), path, "jobs")
		require.ErrorContains(t, err, says, path)
	}
	all, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, one := range all {
		require.NotEqual(t, "text.lock", one.Name())
	}
}

// A file whose lock was taken away is not written any more: another process may have it.
func TestMovedLockIsNoticed(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a file that is open cannot be removed there")
	}
	path := filepath.Join(t.TempDir(), "outbox.db")
	f, _ := opens(t, path)
	defer f.Close()
	require.NoError(t, os.Remove(path+".lock"))
	require.ErrorContains(t, f.Write(outbox.Change{Add: []outbox.Entry{entry(1)}}), "was removed or replaced")
}

// What waits for one namespace is not sent to another one. A file in which nothing waits is for each.
func TestFileIsOfItsNamespace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	f, _ := opens(t, path)
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{entry(1)}}))
	require.NoError(t, f.Close())
	_, _, err := Open(t.Context(), path, "others")
	require.ErrorContains(t, err, `what waits in it (1) is for the namespace "jobs", and this server is of "others"; name another --outbox`)
	f, entries := opens(t, path)
	require.Len(t, entries, 1)
	require.NoError(t, f.Write(outbox.Change{Remove: []int64{1}}))
	require.NoError(t, f.Close())
	f, _, err = Open(t.Context(), path, "others")
	require.NoError(t, err)
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{entry(2)}}))
	require.NoError(t, f.Close())
	_, _, err = Open(t.Context(), path, "jobs")
	require.ErrorContains(t, err, `is for the namespace "others"`)
}
