package faultvfs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// childVar makes the test binary commit until it is killed.
const childVar = "FAULTVFS_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVar) != "" {
		commitUntilKilled(os.Args[1], os.Args[2], os.Args[3])
	}
	os.Exit(m.Run())
}

// system is the name of the system's VFS.
const system = "os"

// mode is how a database is opened.
type mode struct {
	vfs, synchronous, journal string
	checkpoint                int // pages of the log
}

// full is a database in which what is committed is on the disk.
func full(v *faultvfs.VFS) mode { return mode{v.Name(), "FULL", "WAL", 8} }

func open(path string, m mode) (*sqlite3.Conn, error) {
	db, err := sqlite3.Open("file:" + filepath.ToSlash(path) + "?vfs=" + m.vfs)
	if err != nil {
		return nil, err
	}
	// A connection that looks into the log for the first time locks out the others for a moment.
	err = db.Exec(fmt.Sprintf("PRAGMA busy_timeout=60000; PRAGMA journal_mode=%s; PRAGMA synchronous=%s; PRAGMA wal_autocheckpoint=%d",
		m.journal, m.synchronous, m.checkpoint))
	if err != nil {
		_ = db.Close() // the error is told
		return nil, err
	}
	return db, nil
}

// mustOpen opens a database for as long as the test runs, or until its Close.
func mustOpen(t *testing.T, path string, m mode) *sqlite3.Conn {
	t.Helper()
	db, err := open(path, m)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() }) // a database that was cut may say so
	return db
}

const rowsPerCommit = 3

// makeTables is the first transaction, after which the number of commits is 0.
func makeTables(db *sqlite3.Conn) error {
	return db.Exec("BEGIN; CREATE TABLE row (id INTEGER PRIMARY KEY, text); CREATE TABLE count (n); INSERT INTO count VALUES (0); COMMIT")
}

// commit is the n-th transaction. It touches several pages.
func commit(db *sqlite3.Conn, n int) error {
	text := fmt.Sprintf("('%s')", strings.Repeat(fmt.Sprintf("%07d.", n), 100))
	err := db.Exec(fmt.Sprintf("BEGIN IMMEDIATE; INSERT INTO row (text) VALUES %s, %s, %s; UPDATE count SET n=%d; COMMIT", text, text, text, n))
	if err != nil && !db.GetAutocommit() {
		_ = db.Exec("ROLLBACK") // the first error says more
	}
	return err
}

func number(db *sqlite3.Conn, sql string) (int, error) {
	s, _, err := db.Prepare(sql)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	s.Step()
	return s.ColumnInt(0), s.Err()
}

// commits is how many transactions a database has, or -1 where it has no
// tables; broken says what is wrong with it.
func commits(db *sqlite3.Conn) (n int, broken error) {
	if tables, err := number(db, "SELECT count(*) FROM sqlite_schema"); err != nil || tables == 0 {
		return -1, err
	}
	s, _, err := db.Prepare("PRAGMA integrity_check")
	if err != nil {
		return 0, err
	}
	defer s.Close()
	if s.Step() && s.ColumnText(0) != "ok" {
		return 0, fmt.Errorf("integrity: %s", s.ColumnText(0))
	}
	if s.Err() != nil {
		return 0, s.Err()
	}
	if n, err = number(db, "SELECT n FROM count"); err != nil {
		return 0, err
	}
	rows, err := number(db, "SELECT count(*) FROM row")
	if err == nil && rows != n*rowsPerCommit {
		err = fmt.Errorf("%d commits have %d rows", n, rows)
	}
	return n, err
}

// commitsIn looks at a database through the system's VFS.
func commitsIn(path string) (n int, broken error) {
	db, err := sqlite3.Open("file:" + filepath.ToSlash(path))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if err := db.Exec("PRAGMA synchronous=OFF"); err != nil { // nothing cuts this one
		return 0, err
	}
	return commits(db)
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
