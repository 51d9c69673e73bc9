package file

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// applicationID marks a file as a jobline store: "JOBL".
const applicationID = 0x4A4F424C

// Conn is a connection with its prepared statements. One goroutine uses it at
// a time.
type Conn struct {
	*sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
	WALPages int // how long the write-ahead log was at the latest commit
	marks    marks
	digest   Digest // a buffer
	// latestLabels are the labels that were read last, and their text in the file.
	latestLabels     map[string]string
	latestLabelsText []byte
}

// URI names the file for SQLite. It does not ask for the mode of the file for the
// others (modeof): as root, SQLite's VFS would then take over files of other users.
func URI(path, vfs string) string {
	registerOwnedVFS()
	q := url.Values{"vfs": {cmp.Or(vfs, ownedVFSName)}}
	query := strings.ReplaceAll(q.Encode(), "+", "%20") // SQLite takes a + for itself
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query}).String()
}

// Dial opens a connection to the file of a URI, sets the pragmas that every connection
// has, and then those given.
func Dial(uri string, flags sqlite3.OpenFlag, pragmas ...string) (*Conn, error) {
	c, err := openSQLite(uri, flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	for _, p := range append([]string{"busy_timeout=5000", "temp_store=MEMORY", "mmap_size=0", "trusted_schema=0"}, pragmas...) {
		if err := c.Exec("PRAGMA " + p); err != nil {
			return nil, errors.Join(fmt.Errorf("PRAGMA %s: %w", p, err), c.Close())
		}
	}
	return &Conn{Conn: c, prepared: map[string]*sqlite3.Stmt{}}, nil
}

// openSQLite opens a connection. SQLite reserves 256 MiB of address space for each,
// and panics with the system's error if a limit of the process forbids that.
func openSQLite(uri string, flags sqlite3.OpenFlag) (c *sqlite3.Conn, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case syscall.Errno:
			err = fmt.Errorf("reserve memory for SQLite: %w; raise the limit on the address space (ulimit -v)", cause)
		default:
			panic(cause)
		}
	}()
	return sqlite3.OpenFlags(uri, flags)
}

// DialWriter opens the connection that writes, to a file that may be empty. An empty
// vfs is the system's; synchronous is the pragma's value.
func DialWriter(path, vfs, synchronous string, empty bool) (*Conn, error) {
	if empty { // in other files it has no effect, but still writes
		return dialWriter(path, vfs, synchronous, "auto_vacuum=INCREMENTAL")
	}
	return dialWriter(path, vfs, synchronous)
}

// DialAlone opens the connection that writes to a file of which nobody else has one, nor gets
// one while it is open. It keeps the index of the write-ahead log in memory, and not in a file
// beside, so that what is there can be read where the disk is full.
func DialAlone(path, synchronous string) (*Conn, error) {
	return dialWriter(path, "", synchronous, "locking_mode=EXCLUSIVE")
}

// dialWriter opens a connection that writes, and sets the first pragmas before its own.
func dialWriter(path, vfs, synchronous string, first ...string) (*Conn, error) {
	pragmas := append(first,
		"journal_mode=WAL",
		"synchronous="+synchronous,
		"cache_size=-4096",
		"journal_size_limit=67108864",
		"wal_autocheckpoint=0", // because its errors are not reported
		"foreign_keys=0",
	)
	if runtime.GOOS == "darwin" { // a plain fsync does not reach the disk there
		pragmas = append(pragmas, "fullfsync=1", "checkpoint_fullfsync=1")
	}
	c, err := Dial(URI(path, vfs), sqlite3.OPEN_READWRITE, pragmas...)
	if err != nil {
		return nil, err
	}
	mode, err := c.Text("PRAGMA journal_mode")
	if err == nil && mode != "wal" {
		err = fmt.Errorf("the file system does not let SQLite keep a write-ahead log: journal_mode is %q", mode)
	}
	if err != nil {
		return nil, errors.Join(err, c.Abandon())
	}
	c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error { c.WALPages = pages; return nil })
	return c, nil
}

// CheckpointPages is the length in pages from which on the write-ahead log is copied
// into the file and started again.
const CheckpointPages = 1000

// Checkpoint copies the write-ahead log into the file if the log has become long. It
// copies as much as readers allow.
func (c *Conn) Checkpoint() error {
	if c.WALPages < CheckpointPages {
		return nil
	}
	err := c.copyWAL(sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) {
		return nil
	}
	return err
}

// RestartWAL copies the whole write-ahead log into the file, syncs that and
// empties the log. After a failed sync, in this process or an earlier one, a part of
// the log may be in the system's memory and not on the disk. No later sync reports
// that. A power cut then loses all that was appended after the missing part.
//
// If another process reads at the same time, it cannot do that, and the error is
// sqlite3.BUSY.
func (c *Conn) RestartWAL() error {
	if err := c.BusyTimeout(restartPatience); err != nil {
		return err
	}
	err := c.copyWAL(sqlite3.CHECKPOINT_TRUNCATE)
	return errors.Join(err, c.BusyTimeout(busyPatience))
}

// RestartWALUnlessRead is RestartWAL for a log that has had no failure: it is no
// error if another process reads.
func (c *Conn) RestartWALUnlessRead() error {
	if err := c.RestartWAL(); !errors.Is(err, sqlite3.BUSY) {
		return err
	}
	return nil
}

// How long to wait for a lock of another process.
const (
	busyPatience    = 5 * time.Second
	restartPatience = 100 * time.Millisecond
)

// DialReader opens a connection that only reads.
func DialReader(path, vfs string) (*Conn, error) {
	return Dial(URI(path, vfs), sqlite3.OPEN_READWRITE, "query_only=1", "cache_size=-8192")
}

// Close ends the connection with its statements.
func (c *Conn) Close() error {
	for _, s := range c.prepared {
		_ = s.Close() // an error of the latest step, which was told then
	}
	clear(c.prepared)
	return c.Conn.Close()
}

// Abandon closes the connection without copying the write-ahead log into the file,
// because the index of the log may no longer be right.
func (c *Conn) Abandon() error {
	_, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	return errors.Join(err, c.Close())
}

// stmt is the prepared statement of a text, reset and ready to bind.
func (c *Conn) stmt(sql string) (*sqlite3.Stmt, error) {
	s, ok := c.prepared[sql]
	if !ok {
		c.forgetOne()
		var err error
		if s, _, err = c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT); err != nil {
			return nil, fmt.Errorf("%s: %w", sql, err)
		}
		c.prepared[sql] = s
	}
	return s, nil
}

// maxPrepared bounds the prepared statements of a connection, because each kind of
// list request has a text of its own.
const maxPrepared = 100

// forgetOne makes room for a statement.
func (c *Conn) forgetOne() {
	for sql, s := range c.prepared {
		if len(c.prepared) < maxPrepared {
			return
		}
		if !s.Busy() {
			_ = s.Close() // an error of the latest step, which was told then
			delete(c.prepared, sql)
		}
	}
}

// null is an argument that is NULL.
type null struct{}

// bind sets the parameters of a statement.
func bind(s *sqlite3.Stmt, args []any) error {
	for i, a := range args {
		var err error
		switch v := a.(type) {
		case null:
			err = s.BindNull(i + 1)
		case int64:
			err = s.BindInt64(i+1, v)
		case string:
			err = s.BindText(i+1, v)
		case []byte:
			err = s.BindBlob(i+1, v)
		default:
			panic(fmt.Sprintf("parameter %d is a %T", i+1, a))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Run runs a statement that answers no rows.
func (c *Conn) Run(sql string, args ...any) error {
	s, err := c.stmt(sql)
	if err == nil {
		err = bind(s, args)
	}
	if err == nil {
		err = s.Exec()
	}
	return err
}

// Query calls row for each row, until it answers an error.
func (c *Conn) Query(sql string, row func(*sqlite3.Stmt) error, args ...any) error {
	s, err := c.stmt(sql)
	if err != nil {
		return err
	}
	if err := bind(s, args); err != nil {
		return err
	}
	for s.Step() {
		if err = row(s); err != nil {
			break
		}
	}
	if err == nil { // Reset does not report that the context has ended
		err = s.Err()
	}
	if end := s.Reset(); err == nil {
		err = end
	}
	return err
}

// Snapshot calls f, all of whose queries see the file as it is at one moment.
func (c *Conn) Snapshot(f func() error) error {
	if err := c.Run("BEGIN"); err != nil {
		return err
	}
	err := f()
	if end := c.Run("COMMIT"); err == nil {
		err = end
	}
	return err
}

// Text is the one value that a statement answers.
func (c *Conn) Text(sql string) (value string, err error) {
	err = c.Query(sql, func(s *sqlite3.Stmt) error { value = s.ColumnText(0); return nil })
	return value, err
}

// Number is the one number that a statement answers.
func (c *Conn) Number(sql string, args ...any) (value int64, err error) {
	err = c.Query(sql, func(s *sqlite3.Stmt) error { value = s.ColumnInt64(0); return nil }, args...)
	return value, err
}
