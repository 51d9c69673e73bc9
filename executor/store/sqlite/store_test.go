package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/semver"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// open opens a store in a directory of its own; options may set more.
func open(t *testing.T, set ...func(*Options)) *Store {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "deep", "tasks.db")}
	for _, f := range set {
		f(&o)
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// whileIdle tests a store in which a task waits, and whose committer is idle meanwhile: it
// looks at the files when it begins, and its connection is for one goroutine at a time.
func whileIdle(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		submit(t, s, newTask())
		synctest.Wait()
		test(t, s)
	})
}

// TestSQLiteVersion keeps out the versions that can lose committed pages when
// one connection writes while another checkpoints (sqlite.org/wal.html, "The
// WAL-reset bug").
func TestSQLiteVersion(t *testing.T) {
	c, err := file.Dial(":memory:", sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	require.NoError(t, err)
	defer c.Close()
	version, err := c.Text("SELECT sqlite_version()")
	require.NoError(t, err)
	require.GreaterOrEqual(t, semver.Compare("v"+version, "v3.51.3"), 0, version)
}

func TestSQLiteIsToldToSync(t *testing.T) {
	whileIdle(t, func(t *testing.T, s *Store) {
		full, err := s.committer.conn.Number("PRAGMA synchronous")
		require.NoError(t, err)
		require.Equal(t, int64(2), full)
		require.NoError(t, s.relaxed(func() error { return nil }))
		full, err = s.committer.conn.Number("PRAGMA synchronous")
		require.NoError(t, err)
		require.Equal(t, int64(2), full, "and again after what need not be")
	})
}

// TestQueriesUseIndexes reads SQLite's own plans: no query of the store walks
// a table that grows, or sorts what it finds.
func TestQueriesUseIndexes(t *testing.T) { whileIdle(t, queriesUseIndexes) }

func queriesUseIndexes(t *testing.T, s *Store) {
	texts := []string{selectByID, selectEnded, selectOld, selectEnd, file.SelectEnds, selectOpen, file.SelectPieces, file.SelectNextPiece, file.SelectLastPiece}
	for _, f := range []executor.Filter{
		{States: []schema.State{schema.Failed}}, {States: []schema.State{schema.Queued, schema.Cancelled, schema.Failed}},
		{Types: []string{"plain"}}, {Labels: map[string]string{"k": "v"}}, {},
	} {
		for _, oldest := range []bool{false, true} {
			l := &listing{store: s, conn: s.committer.conn, filter: &f, page: &executor.PageRequest{Oldest: oldest}, cursor: 1 << 40}
			require.NoError(t, l.plan())
			texts = append(texts, l.sql())
		}
	}
	for _, sql := range texts {
		err := s.committer.conn.Query("EXPLAIN QUERY PLAN "+sql, func(row *sqlite3.Stmt) error {
			step := row.ColumnText(3)
			if strings.HasPrefix(step, "SCAN") {
				require.Regexp(t, `^SCAN (d|span VIRTUAL TABLE|json_each VIRTUAL TABLE|CONSTANT ROW|\(subquery)`, step, sql)
			}
			require.NotRegexp(t, `USE TEMP B-TREE FOR (?:LAST TERM OF )?ORDER BY.*task`, step, sql)
			return nil
		})
		require.NoError(t, err)
	}
}

func TestModes(t *testing.T) {
	s := open(t)
	submit(t, s, newTask())
	_, err := s.Get(t.Context(), uuid.New())
	require.ErrorIs(t, err, executor.ErrNotFound)
	for suffix, mode := range map[string]os.FileMode{"": 0o600, "-wal": 0o600, "-shm": 0o600, ".lock": 0o600} {
		info, err := os.Stat(s.path + suffix)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), suffix)
	}
	info, err := os.Stat(filepath.Dir(s.path))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
}

func TestASecondOwnerIsRefused(t *testing.T) {
	s := open(t)
	link := filepath.Join(t.TempDir(), "another-name.db")
	require.NoError(t, os.Symlink(s.path, link))
	for _, path := range []string{s.path, link} {
		_, err := Open(t.Context(), Options{Path: path})
		var held *HeldError
		require.ErrorAs(t, err, &held)
		require.Contains(t, err.Error(), fmt.Sprintf("held by process %d", os.Getpid()))
		require.Contains(t, err.Error(), s.path)
	}
}

func TestTheFileShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	for range 300 {
		submit(t, s, newTask(func(r *executor.Submission) { r.Input = []byte(`"` + strings.Repeat("x", 8000) + `"`) }))
		runOne(t, s, completed)
	}
	require.NoError(t, s.Close())
	before, err := os.Stat(path)
	require.NoError(t, err)

	s, err = Open(t.Context(), Options{Path: path, Keep: 3})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		c, err := s.Counts(t.Context())
		return err == nil && c.Completed == 3
	}, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool {
		var free int64
		err := s.readers.with(t.Context(), s, func(c *file.Conn) (err error) {
			free, err = c.Number("PRAGMA freelist_count")
			return err
		})
		return err == nil && free <= freePages
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, after.Size(), before.Size()/4)
}

// TestPaths has names in which a URI means something.
func TestPaths(t *testing.T) {
	for _, name := range []string{"a b", "a+b", "a%20b", "a?b", "a#b", "a&b=c", "a'b", "ü", "a\nb", "..a", "-a"} {
		path := filepath.Join(t.TempDir(), name, name+".db")
		for range 2 {
			s, err := Open(t.Context(), Options{Path: path})
			require.NoError(t, err, "%q", name)
			submit(t, s, newTask())
			runOne(t, s, completed)
			require.NoError(t, s.Close())
		}
		require.FileExists(t, path)
		require.Empty(t, findings(t, path))
	}
}
