package sqlite

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// guarded is an open store with two tasks, each of which ended in a commit of
// its own. It is in a bubble, so that the committer can be waited for: what is
// its alone is free for the test then.
type guarded struct {
	*testing.T
	*Store
	ids    []uuid.UUID
	sizes  []int64 // of the log after each
	logged strings.Builder
}

func newGuarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{T: t}
	s, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "tasks.db"), checkFilesEvery: -1, Logger: slog.New(slog.NewTextHandler(&g.logged, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	require.NoError(t, err)
	g.Store = s
	for range 2 {
		submit(t, s, newTask())
		g.ids = append(g.ids, runOne(t, s, completed))
		g.sizes = append(g.sizes, g.size("-wal"))
	}
	synctest.Wait()
	return g
}

func (g *guarded) size(suffix string) int64 {
	info, err := os.Stat(g.path + suffix)
	require.NoError(g, err)
	return info.Size()
}

func (g *guarded) cut(suffix string, size int64) {
	require.NoError(g, os.Truncate(g.path+suffix, size))
}

// replace puts another file in the place of one.
func (g *guarded) replace(suffix string) {
	require.NoError(g, os.WriteFile(g.path+".new", nil, 0o600))
	require.NoError(g, os.Rename(g.path+".new", g.path+suffix))
}

// regrow cuts the log and writes back what came after the latest look at it, as
// where it was cut just after that.
func (g *guarded) regrow(size int64) {
	b, err := os.ReadFile(g.path + "-wal")
	require.NoError(g, err)
	g.cut("-wal", size)
	f, err := os.OpenFile(g.path+"-wal", os.O_WRONLY, 0)
	require.NoError(g, err)
	from := file.FrameAt(g.committer.conn.WALLookedUpTo()+1, 4096)
	_, err = f.WriteAt(b[from:], from)
	require.NoError(g, err)
	require.NoError(g, f.Close())
}

// refuses says that nothing is recorded, and why.
func (g *guarded) refuses(why string) {
	g.Helper()
	_, err := g.Submit(g.Context(), []executor.Submission{newTask()})
	require.ErrorIs(g, err, executor.ErrStoreUnavailable)
	require.ErrorContains(g, err, why)
	require.Contains(g, g.Info().Fault, why)
	require.NotContains(g, err.Error(), "\n")
}

// TestFilesThatAreLost has each of a store's files lost while it is open.
// Nothing more is recorded then, even where the file is back.
func TestFilesThatAreLost(t *testing.T) {
	const cutLog, saved = "-wal was cut or overwritten while it was in use, and what was recorded in it is lost; end this server", "was saved in "
	for name, test := range map[string]struct {
		do    func(*guarded)
		why   string
		saved bool // for the next server
	}{
		"lock removed":  {func(g *guarded) { require.NoError(g, os.Remove(g.path+".lock")) }, ".lock was removed or replaced", true},
		"lock replaced": {func(g *guarded) { g.replace(".lock") }, "another server may have the store, too; end this server", true},
		"log removed":   {func(g *guarded) { require.NoError(g, os.Remove(g.path+"-wal")) }, saved, true},
		"log moved":     {func(g *guarded) { require.NoError(g, os.Rename(g.path+"-wal", g.path+".away")) }, saved, true},
		"log replaced":  {func(g *guarded) { g.replace("-wal") }, saved, true},
		"log replaced and begun anew": {func(g *guarded) {
			g.replace("-wal")
			require.NoError(g, g.committer.conn.RestartWAL())
		}, saved, true},
		"log emptied":                {func(g *guarded) { g.cut("-wal", 0) }, cutLog, false},
		"log halved":                 {func(g *guarded) { g.cut("-wal", g.sizes[0]) }, cutLog, false},
		"log without its last byte":  {func(g *guarded) { g.cut("-wal", g.sizes[1]-1) }, cutLog, false},
		"log emptied and written on": {func(g *guarded) { g.regrow(0) }, cutLog, false},
		"log halved and written on":  {func(g *guarded) { g.regrow(g.sizes[0] / 2) }, cutLog, false},
		"file emptied":               {func(g *guarded) { g.cut("", 0) }, " to 0 bytes while it was in use; end this server, then put a backup in its place", false},
		"file halved":                {func(g *guarded) { g.cut("", 8192) }, " to 8192 bytes while it was in use", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuarded(t)
				files := map[string][]byte{}
				for _, suffix := range []string{"", "-wal", ".lock"} {
					b, err := os.ReadFile(g.path + suffix)
					require.NoError(t, err)
					files[suffix] = b
				}
				test.do(g)
				g.refuses(test.why)
				for suffix, b := range files {
					if _, err := os.Stat(g.path + suffix); err != nil || suffix == "" && !test.saved {
						require.NoError(t, os.WriteFile(g.path+suffix, b, 0o600))
					}
				}
				g.refuses(test.why)
				require.ErrorIs(t, g.Close(), executor.ErrStoreUnavailable)
				require.Equal(t, 1, strings.Count(g.logged.String(), "msg="), g.logged.String())
				require.Contains(t, g.logged.String(), "level=ERROR msg=\"the store records nothing any more\"")
				if !test.saved {
					return
				}
				s, err := Open(t.Context(), Options{Path: g.path})
				require.NoError(t, err)
				for _, id := range g.ids {
					_, err := s.Get(t.Context(), id)
					require.NoError(t, err)
				}
				require.NoError(t, s.Close())
				require.Empty(t, findings(t, g.path))
			})
		})
	}
}

// TestASecondServerIsLetAlone has the lock removed, and another take the store.
func TestASecondServerIsLetAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		first, err := Open(t.Context(), Options{Path: path, KeepFor: time.Hour})
		require.NoError(t, err)
		submit(t, first, newTask())
		id := runOne(t, first, completed)
		require.NoError(t, os.Remove(path+".lock"))
		second, err := Open(t.Context(), Options{Path: path, KeepFor: 3 * time.Hour})
		require.NoError(t, err)
		time.Sleep(2 * time.Hour) // the first would remove the task, by itself
		_, err = second.Get(t.Context(), id)
		require.NoError(t, err)
		require.Contains(t, first.Info().Fault, "another server may have the store")
		submit(t, second, newTask())
		runOne(t, second, completed)
		require.ErrorIs(t, first.Close(), executor.ErrStoreUnavailable)
		require.NoError(t, second.Close())
		require.Empty(t, findings(t, path))
	})
}

func TestAFileThatIsPutBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		require.NoError(t, os.Rename(g.path, g.path+".away"))
		g.refuses("was removed or replaced while it was in use; put it back")
		g.replace("")
		g.refuses("put it back")
		require.NoError(t, os.Rename(g.path+".away", g.path))
		time.Sleep(2 * retryMost)
		require.Empty(t, g.Info().Fault)
		submit(t, g, newTask())
		require.NoError(t, g.Close())
	})
}

// TestTheIndexOfTheLogIsMadeAnew removes the index before a process opens the file. That process
// makes another.
func TestTheIndexOfTheLogIsMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		require.NoError(t, os.Remove(g.path+"-shm"))
		_, err := g.Get(t.Context(), g.ids[0])
		require.NoError(t, err)
		submit(t, g, newTask())
		id := runOne(t, g, completed)
		_, err = g.Get(t.Context(), id)
		require.NoError(t, err)
		require.Empty(t, g.Info().Fault)
		require.NoError(t, g.Close())
		require.Empty(t, findings(t, g.path))
	})
}

// TestCheckpointsMakeFilesShorter has this program and another copy the log into
// the file, which makes that one shorter, and cut the log: all is in place.
func TestCheckpointsMakeFilesShorter(t *testing.T) {
	for name, checkpoint := range map[string]func(*guarded){
		"own": func(g *guarded) { require.NoError(g, g.committer.conn.RestartWAL()) },
		"of another program": func(g *guarded) {
			c, err := file.Dial(file.URI(g.path, ""), sqlite3.OPEN_READWRITE)
			require.NoError(g, err)
			_, err = c.Text("PRAGMA journal_mode")
			require.NoError(g, err)
			_, _, err = c.WALCheckpoint("", sqlite3.CHECKPOINT_TRUNCATE)
			require.NoError(g, err)
			require.NoError(g, c.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGuarded(t)
				submit(t, g, newTask(func(r *executor.Submission) { r.Input = []byte(`"` + strings.Repeat("x", 1<<20) + `"`) }))
				runOne(t, g, completed)
				synctest.Wait()
				require.NoError(t, g.committer.conn.RestartWAL())
				submit(t, g, newTask())
				synctest.Wait()
				for _, sql := range []string{"DELETE FROM task WHERE length(input)>1000", "PRAGMA incremental_vacuum"} {
					require.NoError(t, g.committer.conn.Exec(sql))
				}
				before := g.size("")
				checkpoint(g)
				require.Zero(t, g.size("-wal"))
				require.Less(t, g.size(""), before)
				for range 2 {
					submit(t, g, newTask())
					synctest.Wait()
					require.NoError(t, g.filesIntact())
				}
				require.NoError(t, g.Close())
			})
		})
	}
}

// TestAStoreThatHasLostCommitsIsNotTakenUp has a connection broken, and the
// file of before in the place of what was recorded since.
func TestAStoreThatHasLostCommitsIsNotTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuarded(t)
		g.cut("-wal", g.sizes[0])
		require.NoError(t, os.Remove(g.path+"-shm"))
		g.committer.broken = true
		g.refuses("the store has lost what was recorded: it has ")
		require.Equal(t, g.sizes[0], g.size("-wal"), "it is left as it is")
		require.ErrorIs(t, g.Close(), executor.ErrStoreUnavailable)
	})
}

// TestACheckpointThatFailsIsNoLoss has a disk that syncs nothing of the file for
// a minute: a connection of which nobody knows how its files are is given up.
func TestACheckpointThatFailsIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		v.Fail(faultvfs.Sync, faultvfs.Main, sqlite3.IOERR_FSYNC)
		_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		time.Sleep(time.Minute)
		require.Contains(t, s.Info().Fault, "I/O error")
		v.Heal()
		time.Sleep(2 * retryMost)
		require.Empty(t, s.Info().Fault)
		submit(t, s, newTask())
		require.NoError(t, s.Close())
	})
}

// TestAnEvictionThatIsLostIsNoLoss has a sync fail, with which a transaction is
// lost that was not synced, as it need not be.
func TestAnEvictionThatIsLostIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{Lossy: true}, func(o *Options) { o.Keep = 1 })
		for range 2 {
			submit(t, s, newTask())
			runOne(t, s, completed)
		}
		s.mu.Lock()
		s.append(&events{}) // nothing is written for it
		s.mu.Unlock()
		synctest.Wait()
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
		require.ErrorIs(t, err, executor.ErrStoreUnavailable)
		v.Evict()
		time.Sleep(2 * retryMost)
		require.Empty(t, s.Info().Fault)
		c, err := s.Counts(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, c.Completed)
		require.NoError(t, s.Close())
	})
}

// TestADiskThatIsFullWhenTheLogBeginsAnew has the new header in the log, and no
// commit behind it.
func TestADiskThatIsFullWhenTheLogBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		submit(t, s, newTask(func(r *executor.Submission) {
			r.Input = []byte(`"` + strings.Repeat("x", file.CheckpointPages*4096) + `"`)
		}))
		id := runOne(t, s, completed) // the log was copied into the file before
		v.Fail(faultvfs.Write, faultvfs.WAL, sqlite3.FULL, 3)
		_, err := s.Submit(t.Context(), []executor.Submission{newTask()})
		require.ErrorIs(t, err, sqlite3.FULL)
		time.Sleep(2 * retryMost)
		require.Empty(t, s.Info().Fault)
		submit(t, s, newTask())
		_, err = s.Get(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	})
}

// TestALogWithoutItsFile has a killed server's log, and no file or an empty one.
func TestALogWithoutItsFile(t *testing.T) {
	for name, spoil := range map[string]func(string) error{
		"none":  os.Remove,
		"empty": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path, ids := killed(t)
			file, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, spoil(path))
			before := looks(t, path)
			require.ErrorContains(t, refused(t, path), path+"-wal, the write-ahead log of a store, has ")
			require.ErrorContains(t, refused(t, path), "put the file of that store back, or remove the log")
			require.Equal(t, before, looks(t, path))

			require.NoError(t, os.WriteFile(path, file, 0o600))
			s, err := Open(t.Context(), Options{Path: path})
			require.NoError(t, err)
			_, err = s.Get(t.Context(), ids[0])
			require.NoError(t, err)
			require.NoError(t, s.Close())

			require.NoError(t, spoil(path)) // an empty log is none
			require.NoError(t, os.WriteFile(path+"-wal", nil, 0o600))
			s, err = Open(t.Context(), Options{Path: path})
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

// BenchmarkInPlace measures what is added to each transaction.
func BenchmarkInPlace(b *testing.B) {
	s := openBench(b)
	_, err := s.Submit(b.Context(), []executor.Submission{benchTask()})
	require.NoError(b, err)
	for b.Loop() {
		if err := s.filesIntact(); err != nil {
			b.Fatal(err)
		}
	}
}
