// Package outboxfile keeps the entries of an outbox in an SQLite file, which one process has at a time.
package outboxfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

const (
	// applicationID marks a file as an outbox: "JOBO".
	applicationID = 0x4A4F424F
	// version is that of the table, as user_version.
	version = 1
	// headerSize is how much of the first page is looked at, and idAt is where the application_id stands.
	headerSize, idAt = 100, 68
)

// tables are what is in a file. The sum is of the other columns.
const tables = `CREATE TABLE entry(
	number INTEGER PRIMARY KEY,
	id BLOB NOT NULL UNIQUE,
	tried INTEGER NOT NULL,
	refused TEXT NOT NULL,
	record BLOB NOT NULL,
	sum INTEGER NOT NULL
) STRICT;
CREATE TABLE namespace(name TEXT NOT NULL) STRICT`

// File implements outbox.File. Make one with Open.
type File struct {
	path      string
	namespace string
	lock      *disk.Lock
	conn      *file.Conn // nil where there was no room for a new file yet
	late      bool       // what prepare writes is not written yet, for want of room
	want      int64      // how much room the latest change takes that found none, in bytes; 0 where there was enough
	suspect   bool       // a write has failed, so a part of the write-ahead log may not be on the disk
}

// Open opens the file of a namespace, or makes one, and reads its entries. One process has a file at a time; any other gets an
// error that names it. A file with entries for another namespace is refused, because they would be sent to the wrong one.
// On a full disk the entries are read all the same, and it is written when there is room.
func Open(ctx context.Context, path, namespace string) (_ *File, entries []outbox.Entry, err error) {
	f := &File{path: path, namespace: namespace}
	found, err := disk.PreparePath(path, disk.SyncDir)
	if err != nil {
		return nil, nil, f.explain(err)
	}
	f.path = found
	if err := probe(f.path); err != nil { // make no files beside a file of another program
		return nil, nil, err
	}
	if f.lock, err = disk.TakeLock(f.path); err != nil {
		return nil, nil, f.explain(err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open the outbox %s: %w", f.path, errors.Join(f.explain(err), f.Close()))
		}
	}()
	if err := probe(f.path); err != nil { // again, because another process could change it before the lock was held
		return nil, nil, err
	}
	if _, err := disk.CreateFiles(f.path); err != nil {
		return nil, nil, err
	}
	if err := disk.SyncDir(filepath.Dir(f.path)); err != nil {
		return nil, nil, err
	}
	err = file.RewriteWAL(f.path, "", synchronous)
	if f.isFull(err) {
		err = file.RewriteWALAlone(f.path, synchronous)
	}
	if f.isFull(err) {
		f.suspect = true
	} else if err != nil {
		return nil, nil, err
	}
	if err := f.prepare(ctx); f.isFull(err) {
		f.late = true
	} else if err != nil {
		return nil, nil, err
	}
	if entries, err = f.entries(ctx); err != nil {
		return nil, nil, err
	}
	return f, entries, nil
}

// prepare connects to the file, makes its tables where there are none, and notes for which namespace it is. On a
// full disk it can be called again.
func (f *File) prepare(ctx context.Context) (err error) {
	if f.conn == nil {
		f.conn, err = file.DialWriter(f.path, "", synchronous, false)
	}
	if f.isFull(err) {
		f.conn, err = file.DialAlone(f.path, synchronous)
	}
	if err != nil {
		return err
	}
	defer f.conn.SetInterrupt(f.conn.SetInterrupt(ctx))
	if err := f.begin(); err != nil {
		return err
	}
	return f.claimFor(f.namespace)
}

// entries reads all entries. There are none in a file that could not be made yet.
func (f *File) entries(ctx context.Context) (entries []outbox.Entry, err error) {
	if f.conn == nil {
		info, err := os.Stat(f.path)
		if err == nil && info.Size() > 0 {
			err = f.noRoom(errors.New("it cannot be read without"))
		}
		return nil, err
	}
	defer f.conn.SetInterrupt(f.conn.SetInterrupt(ctx))
	if now, err := f.conn.Number("PRAGMA user_version"); err != nil || now == 0 {
		return nil, err
	}
	return f.read()
}

// claimFor notes for which namespace the entries are.
func (f *File) claimFor(namespace string) error {
	of, err := f.conn.Text("SELECT coalesce((SELECT name FROM namespace), '')")
	if err != nil || of == namespace {
		return err
	}
	entries, err := f.conn.Number("SELECT count(*) FROM entry")
	switch {
	case err != nil:
		return err
	case of != "" && entries > 0:
		return fmt.Errorf("what waits in it (%d) is for the namespace %q, and this server is of %q; name another --outbox, or let a server of %q send it first", entries, of, namespace, of)
	}
	return f.step(func() error {
		if err := f.conn.Run("DELETE FROM namespace"); err != nil {
			return err
		}
		return f.conn.Run("INSERT INTO namespace VALUES(?)", namespace)
	})
}

// synchronous lets each commit be on the disk when it returns.
const synchronous = "FULL"

// probe refuses a file that belongs to somebody else, or is no outbox. It changes nothing.
func probe(path string) error {
	there, err := disk.RequireOwned(path)
	if err != nil || !there {
		return err
	}
	f, err := disk.OpenToRead(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, headerSize)
	n, err := f.ReadAt(head, 0)
	switch id := binary.BigEndian.Uint32(head[idAt:]); {
	case err != nil && err != io.EOF:
		return err
	case n == 0, n == headerSize && id == applicationID:
		return nil
	case n < headerSize && bytes.HasPrefix(head, []byte("SQLite format 3\x00")):
		return broken(path, sqlite3.NOTADB)
	case n == headerSize && id == 0: // a process that died before it made the table leaves such a file, empty
		return nil
	}
	return fmt.Errorf("%s is not an outbox of jobline; name another file", path)
}

// begin makes the table where there is none, and looks at the version.
func (f *File) begin() error {
	now, err := f.conn.Number("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch {
	case now == version:
		return f.restartWAL()
	case now > version:
		return fmt.Errorf("it was written by a newer jobline: its version is %d, this program knows up to %d; use the newer program", now, version)
	}
	n, err := f.conn.Number("SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return err
	case n > 0:
		return errors.New("it is an SQLite file of another program; name another file")
	}
	err = f.step(func() error {
		for _, sql := range []string{fmt.Sprintf("PRAGMA application_id=%d", applicationID), tables, fmt.Sprintf("PRAGMA user_version=%d", version)} {
			if err := f.conn.Exec(sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f.restartWAL() // so that the header of the file says what it is
}

// restartWAL copies the write-ahead log into the file. Where there is no room for that, it stays as it is until a
// write finds some.
func (f *File) restartWAL() error {
	err := f.conn.RestartWAL()
	if f.suspect = f.isFull(err); f.suspect {
		return nil
	}
	return err
}

// step runs f in a transaction.
func (f *File) step(do func() error) error {
	if err := f.conn.Run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = f.conn.Run("COMMIT")
	}
	if err != nil && !f.conn.GetAutocommit() {
		err = errors.Join(err, f.conn.Run("ROLLBACK"))
	}
	return err
}

// Path implements outbox.File.
func (f *File) Path() string { return f.path }

// Write implements outbox.File.
func (f *File) Write(c outbox.Change) error {
	moved, err := f.lock.Moved()
	switch {
	case err != nil:
		return err
	case moved:
		return fmt.Errorf("%s was removed or replaced while it was held; end this server, and look who did that", f.lock.Name())
	}
	if err := f.stillFull(&c); err != nil {
		return err
	}
	err = f.commit(c)
	if f.isFull(err) && errors.Is(err, outbox.ErrNotWritten) { // the write-ahead log has room that the file can do with
		err = f.commit(c)
	}
	if err != nil {
		f.want = wantedBy(&c)
		return f.failed(err)
	}
	f.want = 0
	return nil
}

// commit writes a change, behind what there was no room for before.
func (f *File) commit(c outbox.Change) error {
	if err := f.catchUp(); err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrNotWritten, err)
	}
	if err := f.step(func() error { return f.write(c) }); err != nil {
		f.suspect = true
		if f.unwritten(err) {
			err = fmt.Errorf("%w: %w", outbox.ErrNotWritten, err)
		}
		return err
	}
	f.suspect = f.conn.Checkpoint() != nil // the change is on the disk all the same
	return nil
}

// catchUp does what Open or an earlier write had no room for.
func (f *File) catchUp() error {
	if f.late {
		if err := f.prepare(context.Background()); err != nil {
			return err
		}
		f.late = false
	}
	if !f.suspect {
		return nil
	}
	if err := f.conn.RestartWAL(); err != nil {
		return err
	}
	f.suspect = false
	return nil
}

// Close implements outbox.File.
func (f *File) Close() error {
	var err error
	if f.conn != nil {
		err = f.conn.Close()
	}
	return errors.Join(err, f.lock.Release())
}
