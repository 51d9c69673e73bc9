package faultvfs_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

func TestFail(t *testing.T) {
	change := func(_ string, db *sqlite3.Conn, _ mode) error { return commit(db, 2) }
	checkpoint := func(_ string, db *sqlite3.Conn, _ mode) error {
		_, _, err := db.WALCheckpoint("", sqlite3.CHECKPOINT_TRUNCATE)
		return err
	}
	// look reads all through a connection that has read nothing yet.
	look := func(path string, _ *sqlite3.Conn, m mode) error {
		db, err := sqlite3.Open("file:" + filepath.ToSlash(path) + "?vfs=" + m.vfs)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = commits(db)
		return err
	}
	for _, c := range []struct {
		op      faultvfs.Op
		kind    faultvfs.Kind
		err     error
		journal string
		do      func(path string, db *sqlite3.Conn, m mode) error
	}{
		{faultvfs.Open, faultvfs.Main, sqlite3.CANTOPEN, "WAL", look},
		{faultvfs.Open, faultvfs.WAL, sqlite3.CANTOPEN, "WAL", look},
		{faultvfs.Open, faultvfs.Journal, sqlite3.CANTOPEN, "DELETE", change},
		{faultvfs.Read, faultvfs.Main, sqlite3.IOERR_READ, "DELETE", look},
		{faultvfs.Read, faultvfs.WAL, sqlite3.IOERR_READ, "WAL", look},
		{faultvfs.Write, faultvfs.WAL, sqlite3.IOERR_WRITE, "WAL", change},
		{faultvfs.Write, faultvfs.WAL, sqlite3.FULL, "WAL", change},
		{faultvfs.Write, faultvfs.Main, sqlite3.FULL, "WAL", checkpoint},
		{faultvfs.Write, faultvfs.Main, sqlite3.IOERR_WRITE, "DELETE", change},
		{faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, "WAL", change},
		{faultvfs.Sync, faultvfs.Main, sqlite3.IOERR_FSYNC, "WAL", checkpoint},
		{faultvfs.Sync, faultvfs.Journal, sqlite3.IOERR_FSYNC, "DELETE", change},
		{faultvfs.Truncate, faultvfs.WAL, sqlite3.IOERR_TRUNCATE, "WAL", checkpoint},
		{faultvfs.Delete, faultvfs.Journal, sqlite3.IOERR_DELETE, "DELETE", change},
	} {
		for _, lossy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s %v lossy=%t", c.op, c.kind, c.err, lossy), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "tasks.db")
				v := faultvfs.New(t, faultvfs.Options{Lossy: lossy, Early: 0.3})
				m := mode{v.Name(), "FULL", c.journal, 0}
				db := mustOpen(t, path, m)
				require.NoError(t, makeTables(db))
				require.NoError(t, commit(db, 1))

				before := v.Calls(c.op, c.kind)
				v.Fail(c.op, c.kind, c.err)
				require.ErrorIs(t, c.do(path, db, m), c.err)
				require.ErrorIs(t, c.do(path, db, m), c.err)
				require.Greater(t, v.Calls(c.op, c.kind), before)
				v.Heal()
				require.NoError(t, c.do(path, db, m))
				require.NoError(t, commit(db, 3), "as the third")
			})
		}
	}
}

func TestFailChosenCalls(t *testing.T) {
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3})
	db := mustOpen(t, filepath.Join(t.TempDir(), "tasks.db"), mode{v.Name(), "FULL", "WAL", 0})
	require.NoError(t, makeTables(db))
	before := v.Calls(faultvfs.Sync, faultvfs.WAL)
	v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 2, 4)
	v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.FULL, 4, 5)
	v.Fail(faultvfs.Sync, faultvfs.Main, sqlite3.FULL)
	for i, want := range []error{nil, sqlite3.IOERR_FSYNC, nil, sqlite3.IOERR_FSYNC, sqlite3.FULL, nil} {
		require.ErrorIs(t, commit(db, i), want, "sync %d", i+1)
	}
	require.Equal(t, before+6, v.Calls(faultvfs.Sync, faultvfs.WAL))
	require.Panics(t, func() { v.Fail(faultvfs.Sync, faultvfs.WAL, nil) })
	require.Panics(t, func() { v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.FULL, 0) })
}

func TestDeleteThatFailsLeavesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{})
	db, err := open(path, full(v))
	require.NoError(t, err)
	require.NoError(t, makeTables(db))
	v.Fail(faultvfs.Delete, faultvfs.WAL, sqlite3.IOERR_DELETE)
	require.NoError(t, db.Close(), "SQLite does not mind")
	require.Equal(t, 1, v.Calls(faultvfs.Delete, faultvfs.WAL))
	require.FileExists(t, path+"-wal")
}

// What a failed sync has lost was not told to be done, and what was told to be
// done after it is there.
func TestCommitsAroundAFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3})
	db := mustOpen(t, path, full(v))
	require.NoError(t, makeTables(db))
	done := 0
	for i := range 60 {
		switch {
		case i%3 == 1:
			v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
			v.Fail(faultvfs.Sync, faultvfs.Main, sqlite3.IOERR_FSYNC, 1)
		case i%7 == 1:
			v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL, 2)
			v.Fail(faultvfs.Write, faultvfs.Main, sqlite3.FULL, 2)
		}
		if commit(db, done+1) == nil {
			done++
		}
		v.Heal()
	}
	require.Less(t, done, 45)
	require.Greater(t, done, 15)
	v.Cut()
	n, err := commitsIn(path)
	require.NoError(t, err)
	require.Equal(t, done, n)
}

// A commit that failed is read by who opens the file next, for as long as the
// page cache has it: and it is on no disk.
func TestEvict(t *testing.T) {
	for _, c := range []struct {
		evict   bool
		commits int
	}{{false, 2}, {true, 1}} {
		path := filepath.Join(t.TempDir(), "tasks.db")
		v := faultvfs.New(t, faultvfs.Options{Lossy: true})
		m := mode{v.Name(), "FULL", "WAL", 0}
		db, err := open(path, m)
		require.NoError(t, err)
		_, err = db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
		require.NoError(t, err)
		require.NoError(t, makeTables(db))
		require.NoError(t, commit(db, 1))
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC)
		require.ErrorIs(t, commit(db, 2), sqlite3.IOERR_FSYNC)
		v.Heal()
		if c.evict {
			v.Evict()
		}
		require.NoError(t, db.Close())
		n, err := commits(mustOpen(t, path, m))
		require.NoError(t, err)
		require.Equal(t, c.commits, n, "evict=%t", c.evict)
		v.Cut()
		n, err = commitsIn(path)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
}

// What a connection asks of its file, the system's answers.
func TestFileControls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true})
	db, err := open(path, full(v))
	require.NoError(t, err)
	require.NoError(t, makeTables(db))
	for _, op := range []sqlite3.FcntlOpcode{sqlite3.FCNTL_PERSIST_WAL, sqlite3.FCNTL_POWERSAFE_OVERWRITE} {
		for _, on := range []bool{false, true} {
			_, err := db.FileControl("", op, on)
			require.NoError(t, err)
			is, err := db.FileControl("", op)
			require.NoError(t, err)
			require.Equal(t, on, is)
		}
	}
	lock, err := db.FileControl("", sqlite3.FCNTL_LOCKSTATE)
	require.NoError(t, err)
	require.Equal(t, vfs.LOCK_SHARED, lock)
	require.NoError(t, db.Close())
	require.FileExists(t, path+"-wal", "it was to stay")
}

func TestHookHoldsBackOneOperation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true})
	writer, reader := mustOpen(t, path, full(v)), mustOpen(t, path, full(v))
	require.NoError(t, makeTables(writer))
	reached, release := make(chan struct{}), make(chan struct{})
	v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
		if op == faultvfs.Sync && kind == faultvfs.WAL {
			close(reached)
			<-release
		}
	})
	syncs := v.Calls(faultvfs.Sync, faultvfs.WAL)
	done := make(chan error)
	go func() { done <- commit(writer, 1) }()
	<-reached
	n, err := commits(reader)
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, syncs, v.Calls(faultvfs.Sync, faultvfs.WAL))
	close(release)
	require.NoError(t, <-done)
	require.Equal(t, syncs+1, v.Calls(faultvfs.Sync, faultvfs.WAL))
	v.Hook(nil)
	require.NoError(t, commit(writer, 2))
}

func TestHookSeesOperationsInTimeToFailThem(t *testing.T) {
	v := faultvfs.New(t, faultvfs.Options{})
	db := mustOpen(t, filepath.Join(t.TempDir(), "tasks.db"), mode{v.Name(), "FULL", "WAL", 0})
	require.NoError(t, makeTables(db))
	require.NoError(t, commit(db, 1))
	var seen []string
	v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
		if len(seen) == 0 || seen[len(seen)-1] != fmt.Sprint(op, kind) {
			seen = append(seen, fmt.Sprint(op, kind))
		}
		if op == faultvfs.Sync {
			v.Fail(op, kind, sqlite3.IOERR_FSYNC, 1)
		}
	})
	require.ErrorIs(t, commit(db, 2), sqlite3.IOERR_FSYNC)
	require.Greater(t, len(seen), 1)
	require.Equal(t, []string{"writewal", "syncwal"}, seen[:2])
}

func TestRegisterRefusesWhatMakesNoSense(t *testing.T) {
	for _, o := range []faultvfs.Options{{Early: -0.1}, {Early: 1.1}, {Sector: -1}} {
		require.Panics(t, func() { faultvfs.Register("never", o) })
	}
}
