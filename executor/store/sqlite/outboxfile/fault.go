package outboxfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/outbox"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// This file knows a full disk, and a file that is damaged as a whole.

// spareRoom is how much room there must be on a disk that was full, besides what the change takes that it has refused. It is in bytes.
const spareRoom = 64 << 10

// wantedBy is how much room a change takes: in the write-ahead log, and in the file.
func wantedBy(c *outbox.Change) int64 {
	bytes := int64(spareRoom)
	for _, all := range [][]outbox.Entry{c.Add, c.Set} {
		for i := range all {
			bytes += 2 * outbox.SizeOf(&all[i].Record)
		}
	}
	return bytes
}

// stillFull lets an empty change fail while there is no room for the one that has failed: less may do for the empty one.
func (f *File) stillFull(c *outbox.Change) error {
	if f.want == 0 || len(c.Add)+len(c.Set)+len(c.Remove) > 0 {
		return nil
	}
	if free, err := disk.FreeBytes(filepath.Dir(f.path)); err != nil || free >= f.want {
		return nil
	}
	return f.noRoom(fmt.Errorf("%w: a submit needs %d bytes", outbox.ErrNotWritten, f.want))
}

// isFull reports whether an error is for want of room on the disk.
func (f *File) isFull(err error) bool {
	if errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) {
		return true
	}
	if !errors.Is(err, sqlite3.IOERR) {
		return false
	}
	free, e := disk.FreeBytes(filepath.Dir(f.path))
	return e == nil && free < file.LeastFree
}

// explain names the file and the cure in an error that is for want of room, or because the file is damaged.
func (f *File) explain(err error) error {
	if code, damaged := file.Corruption(err); damaged {
		return broken(f.path, code)
	}
	if f.isFull(err) {
		return f.noRoom(err)
	}
	return err
}

// broken says that a file is damaged as a whole.
func broken(path string, code sqlite3.ErrorCode) error {
	return fmt.Errorf("%s was cut, or changed by something else: %w: put a copy back, or move it and %[1]s-wal away for a new outbox; the submits that waited in it are lost then", path, code)
}

func (f *File) noRoom(err error) error {
	return fmt.Errorf("no space on the device of %s: make room there, or name another --outbox: %w", f.path, err)
}

// failed is the error of a write.
func (f *File) failed(err error) error {
	if told := f.explain(err); told != err {
		return told
	}
	return fmt.Errorf("%s: %w", f.path, err)
}

// unwritten reports whether a full disk has left the file as it was: SQLite has taken back what it had begun, and it was no
// sync that failed, behind which all of it may be on the disk.
func (f *File) unwritten(err error) bool {
	if !f.isFull(err) || !f.conn.GetAutocommit() {
		return false
	}
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, sqlite3.IOERR_WRITE)
}
