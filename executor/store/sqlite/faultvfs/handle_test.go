package faultvfs

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/stretchr/testify/require"
)

// openHandle opens a database with a table, and answers the handle of the file.
func openHandle(t *testing.T, o Options) (v *VFS, db *sqlite3.Conn, h *handle) {
	v = New(t, o)
	path := filepath.Join(t.TempDir(), "tasks.db")
	db, err := sqlite3.Open("file:" + filepath.ToSlash(path) + "?vfs=" + v.Name())
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // it may have been cut
	require.NoError(t, db.Exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t (x)"))
	for h = range v.handles {
		if h.kind == Main {
			return v, db, h
		}
	}
	t.Fatal("no handle of the main database")
	return nil, nil, nil
}

func TestACutHandleAnswersNothing(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		v, _, h := openHandle(t, Options{Lossy: lossy})
		hooked := 0
		v.Hook(func(Op, Kind) { hooked++ })
		v.Cut()
		p := make([]byte, 512)
		for name, do := range map[string]func() error{
			"read":     func() error { _, err := h.ReadAt(p, 0); return err },
			"write":    func() error { _, err := h.WriteAt(p, 0); return err },
			"truncate": func() error { return h.Truncate(0) },
			"sync":     func() error { return h.Sync(vfs.SYNC_FULL) },
			"size":     func() error { _, err := h.Size(); return err },
			"lock":     func() error { return h.Lock(vfs.LOCK_SHARED) },
			"reserved": func() error { _, err := h.CheckReservedLock(); return err },
			"delete":   func() error { return v.Delete(h.path, true) },
			"access":   func() error { _, err := v.Access(h.path, vfs.ACCESS_EXISTS); return err },
			"open":     func() error { _, _, err := v.OpenFilename(nil, vfs.OPEN_TEMP_DB); return err },
		} {
			require.ErrorIs(t, do(), sqlite3.IOERR, name)
		}
		require.NoError(t, h.Unlock(vfs.LOCK_NONE))
		require.Zero(t, hooked)
		require.FileExists(t, h.path)
		require.Empty(t, v.caches)
	}
}

func TestACutGivesUpLocks(t *testing.T) {
	v, db, h := openHandle(t, Options{Lossy: true})
	require.NoError(t, db.Exec("PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE"))
	next, err := sqlite3.Open("file:" + filepath.ToSlash(h.path))
	require.NoError(t, err)
	defer next.Close()
	require.ErrorIs(t, next.Exec("BEGIN EXCLUSIVE"), sqlite3.BUSY)
	v.Cut()
	require.NoError(t, next.Exec("BEGIN EXCLUSIVE; CREATE TABLE u (x); COMMIT"))
}

// A file of the same name that is made later is another.
func TestADeletedFileHasNoCache(t *testing.T) {
	v, db, h := openHandle(t, Options{Lossy: true})
	require.Contains(t, v.caches, h.path+"-wal")
	require.NoError(t, db.Close())
	require.Empty(t, v.handles)
	require.NotContains(t, v.caches, h.path+"-wal")
	require.Contains(t, v.caches, h.path, "synchronous=OFF")
}

func TestTheLastOfADeletedFileLeavesTheNextAlone(t *testing.T) {
	v := New(t, Options{Lossy: true})
	var handles [2]*handle
	for i := range handles {
		h := &handle{vfs: v, kind: WAL, path: "log", base: &vfsutil.SliceFile{}}
		delete(v.caches, h.path) // as Delete does
		cache, err := v.cacheOf(h)
		require.NoError(t, err)
		h.cache, handles[i] = cache, h
	}
	require.NoError(t, handles[0].Close())
	require.Same(t, handles[1].cache, v.caches["log"])
}

// syncedFile counts its syncs, and fails them.
type syncedFile struct {
	vfsutil.SliceFile
	syncs int
	err   error
}

func (f *syncedFile) Sync(vfs.SyncFlag) error {
	f.syncs++
	return f.err
}

func TestFsync(t *testing.T) {
	for _, fsync := range []bool{false, true} {
		for _, lossy := range []bool{false, true} {
			v := New(t, Options{Lossy: lossy, Fsync: fsync})
			f := &syncedFile{err: sqlite3.IOERR_FSYNC}
			h := &handle{vfs: v, kind: WAL, path: "log", base: f}
			if lossy {
				var err error
				h.cache, err = v.cacheOf(h)
				require.NoError(t, err)
			}
			_, err := h.WriteAt([]byte("x"), 0)
			require.NoError(t, err)
			err = h.Sync(vfs.SYNC_FULL)
			require.Equal(t, "x", string(f.SliceFile))
			if fsync {
				require.ErrorIs(t, err, sqlite3.IOERR_FSYNC)
				require.Equal(t, 1, f.syncs)
			} else {
				require.NoError(t, err)
				require.Zero(t, f.syncs)
			}
		}
	}
}

func TestTheEndOfATestIsACut(t *testing.T) {
	var v *VFS
	t.Run("within", func(t *testing.T) {
		v = New(t, Options{})
		_, err := v.Access(t.TempDir(), vfs.ACCESS_EXISTS)
		require.NoError(t, err)
	})
	_, err := v.Access(t.TempDir(), vfs.ACCESS_EXISTS)
	require.ErrorIs(t, err, sqlite3.IOERR)
}

func TestAWriteThatFailsMayHaveWrittenSome(t *testing.T) {
	for _, lossy := range []bool{false, true} {
		v, _, h := openHandle(t, Options{Lossy: lossy})
		v.Fail(Write, Main, sqlite3.FULL)
		page, part := bytes.Repeat([]byte{7}, 4096), 0
		for i := range int64(20) {
			_, err := h.WriteAt(page, (10+i)*4096)
			require.ErrorIs(t, err, sqlite3.FULL)
			got := make([]byte, 4096)
			_, _ = h.ReadAt(got, (10+i)*4096) // the file may end before it
			n := bytes.Count(got, []byte{7})
			require.Equal(t, page[:n], got[:n])
			if n > 0 && n < len(page) {
				part++
			}
		}
		require.Greater(t, part, 10)
	}
}
