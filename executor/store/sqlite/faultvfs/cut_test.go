package faultvfs_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// changes are the operations between which a power cut makes a difference.
var changes = []faultvfs.Op{faultvfs.Write, faultvfs.Sync, faultvfs.Truncate, faultvfs.Delete}

// runUntil makes a database with some commits, and has the power cut at the
// at-th change; 0 is never. It answers how many commits were told to be done,
// and how many changes there were.
func runUntil(t *testing.T, path string, o faultvfs.Options, synchronous string, at int) (acked, changed int, dead *sqlite3.Conn) {
	v := faultvfs.New(t, o)
	v.Hook(func(op faultvfs.Op, _ faultvfs.Kind) {
		if slices.Contains(changes, op) {
			if changed++; changed == at {
				v.Cut()
			}
		}
	})
	db, err := open(path, mode{v.Name(), synchronous, "WAL", 8})
	if err != nil {
		return -1, changed, nil
	}
	t.Cleanup(func() { _ = db.Close() }) // it was cut
	if makeTables(db) != nil {
		return -1, changed, db
	}
	for n := range 8 {
		if commit(db, n+1) != nil {
			return n, changed, db
		}
	}
	return 8, changed, db
}

func TestCutAtEveryChange(t *testing.T) {
	for _, c := range []struct {
		synchronous string
		options     faultvfs.Options
		loses       bool // commits that were told to be done
		breaks      bool
	}{
		{"FULL", faultvfs.Options{Lossy: true, Early: 0.3}, false, false},
		{"FULL", faultvfs.Options{Lossy: true, Early: 0.3, Sector: 4096}, false, false},
		{"FULL", faultvfs.Options{Lossy: true}, false, false},
		{"NORMAL", faultvfs.Options{Lossy: true, Early: 0.3}, true, false},
		{"OFF", faultvfs.Options{Lossy: true, Early: 0.3}, true, true},
		{"OFF", faultvfs.Options{}, false, false}, // as kill -9
	} {
		t.Run(fmt.Sprintf("%s %+v", c.synchronous, c.options), func(t *testing.T) {
			_, changes, _ := runUntil(t, filepath.Join(t.TempDir(), "whole"), c.options, c.synchronous, 0)
			require.Greater(t, changes, 60)
			losses, broken := 0, 0
			for at := 1; at <= changes; at++ {
				c.options.Seed = uint64(at)
				path := filepath.Join(t.TempDir(), "cut")
				acked, _, dead := runUntil(t, path, c.options, c.synchronous, at)
				found, err := commitsIn(path)
				switch {
				case err != nil:
					broken++
					require.True(t, c.breaks, "cut at change %d: %v", at, err)
				case found < acked:
					losses++
					require.True(t, c.loses, "cut at change %d: %d commits of %d", at, found, acked)
				default:
					require.LessOrEqual(t, found, acked+1, "cut at change %d", at)
				}
				if dead != nil {
					require.ErrorIs(t, dead.Exec("CREATE TABLE late (x)"), sqlite3.IOERR)
				}
			}
			require.Equal(t, c.loses, losses > 0)
			require.Equal(t, c.breaks, broken > 0)
		})
	}
}

func TestCutUnderLoad(t *testing.T) {
	for round := range 10 {
		path := filepath.Join(t.TempDir(), "tasks.db")
		v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: uint64(round)})
		writer := mustOpen(t, path, full(v))
		require.NoError(t, makeTables(writer))
		ended, enough := make(chan struct{}), make(chan struct{})
		var all sync.WaitGroup
		for range 2 {
			reader := mustOpen(t, path, full(v))
			all.Go(func() { readUntil(t, reader, ended) })
		}
		syncs := 0
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync { // of the writer
				if syncs++; syncs == 60+round {
					close(enough)
				}
			}
		})
		acked := 0
		var failed error
		all.Go(func() {
			defer close(ended)
			for {
				if failed = commit(writer, acked+1); failed != nil {
					return
				}
				acked++
			}
		})
		select {
		case <-enough:
		case <-ended:
			require.NoError(t, failed, "the writer fails while there is power")
		}
		v.Cut()
		n, err := commitsIn(path)
		all.Wait()
		require.NoError(t, err)
		require.LessOrEqual(t, acked, n)
		require.LessOrEqual(t, n, acked+1)
	}
}

// readUntil reads as fast as it can. After a cut it can go on, with what it has
// in its own cache.
func readUntil(t *testing.T, db *sqlite3.Conn, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		default:
		}
		missing, err := number(db, fmt.Sprintf("SELECT n*%d - (SELECT count(*) FROM row) FROM count", rowsPerCommit))
		if missing != 0 || err != nil && !errors.Is(err, sqlite3.IOERR) {
			t.Errorf("not the error of a cut, but a torn read: %d rows are missing, %v", missing, err)
		}
	}
}

// A connection that a cut has left open is as good as gone for those who open
// the file next, and its end does them no harm.
func TestTheDeadTouchNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3})
	dead := []*sqlite3.Conn{mustOpen(t, path, full(v)), mustOpen(t, path, full(v))}
	require.NoError(t, makeTables(dead[0]))
	require.NoError(t, commit(dead[0], 1))
	_, err := commits(dead[1])
	require.NoError(t, err)
	require.NoError(t, dead[0].Exec("BEGIN IMMEDIATE; UPDATE count SET n=99"))
	v.Cut()
	v.Cut()

	next := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3})
	db := mustOpen(t, path, full(next))
	require.NoError(t, commit(db, 2))
	_, err = open(path, full(v))
	require.ErrorIs(t, err, sqlite3.IOERR)
	for i, sql := range []string{"COMMIT", "CREATE TABLE late (x)"} {
		require.ErrorIs(t, dead[i].Exec(sql), sqlite3.IOERR)
		_ = dead[i].Close() // it may say that it was cut
	}
	require.NoError(t, commit(db, 3))
	other := mustOpen(t, path, full(next))
	require.NoError(t, commit(other, 4))
	require.NoError(t, commit(db, 5))
	next.Cut()
	n, err := commitsIn(path)
	require.NoError(t, err)
	require.Equal(t, 5, n)
}

func TestConnectionsReadWhatIsNotSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true})
	normal := mode{v.Name(), "NORMAL", "WAL", 0}
	a, b := mustOpen(t, path, normal), mustOpen(t, path, normal)
	require.NoError(t, makeTables(a))
	require.NoError(t, commit(a, 1))
	require.NoError(t, commit(b, 2))
	require.NoError(t, commit(a, 3))
	for _, db := range []*sqlite3.Conn{a, b, mustOpen(t, path, normal)} {
		n, err := commits(db)
		require.NoError(t, err)
		require.Equal(t, 3, n)
	}
	require.Less(t, fileSize(t, path+"-wal"), int64(512), "only the header of the log is synced")
}

func TestWhatIsNotSyncedOutlivesItsConnections(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	db, err := open(path, mode{system, "FULL", "WAL", 8})
	require.NoError(t, err)
	require.NoError(t, makeTables(db))
	require.NoError(t, db.Close())

	v := faultvfs.New(t, faultvfs.Options{Lossy: true})
	off := mode{v.Name(), "OFF", "WAL", 0}
	for n := range 2 {
		db, err := open(path, off)
		require.NoError(t, err)
		require.NoError(t, commit(db, n+1))
		require.NoError(t, db.Close())
	}
	n, err := commits(mustOpen(t, path, off))
	require.NoError(t, err)
	require.Equal(t, 2, n)
	v.Cut()
	n, err = commitsIn(path)
	require.NoError(t, err)
	require.Zero(t, n)
}

// What is changed behind the back of a VFS that has nothing of the file is seen.
func TestClosedFilesAreTheSystems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	v := faultvfs.New(t, faultvfs.Options{Lossy: true})
	for n, m := range []mode{full(v), {system, "FULL", "WAL", 8}, full(v)} {
		db, err := open(path, m)
		require.NoError(t, err)
		if n == 0 {
			require.NoError(t, makeTables(db))
		}
		for i := range 20 {
			require.NoError(t, commit(db, 20*n+i+1))
		}
		got, err := commits(db)
		require.NoError(t, err)
		require.Equal(t, 20*(n+1), got)
		require.NoError(t, db.Close())
	}
}

// commitUntilKilled tells on its output of each commit that is done.
func commitUntilKilled(path, synchronous, checkpoint string) {
	v := faultvfs.Register("child", faultvfs.Options{Lossy: true, Early: 0.3})
	pages, err := strconv.Atoi(checkpoint)
	var db *sqlite3.Conn
	if err == nil {
		db, err = open(path, mode{v.Name(), synchronous, "WAL", pages})
	}
	if err == nil {
		err = makeTables(db)
	}
	for n := 1; err == nil; n++ {
		if err = commit(db, n); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func TestKillIsACut(t *testing.T) {
	for _, c := range []struct {
		synchronous, checkpoint string
		loses                   bool
	}{
		{"FULL", "50", false},
		{"NORMAL", "0", true}, // a checkpoint syncs
	} {
		t.Run(c.synchronous, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			self, err := os.Executable()
			require.NoError(t, err)
			child := exec.CommandContext(t.Context(), self, path, c.synchronous, c.checkpoint)
			child.Env, child.Stderr = append(os.Environ(), childVar+"=1"), os.Stderr
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			acked := 0
			for lines := bufio.NewScanner(out); lines.Scan(); {
				acked, err = strconv.Atoi(lines.Text())
				require.NoError(t, err)
				if acked == 111 {
					require.NoError(t, child.Process.Kill())
				}
			}
			require.Error(t, child.Wait())
			require.GreaterOrEqual(t, acked, 111)
			found, err := commitsIn(path)
			require.NoError(t, err)
			require.LessOrEqual(t, found, acked+1)
			require.Equal(t, c.loses, found < acked, "%d commits of %d", found, acked)
		})
	}
}
