package file

import (
	"errors"
	"io"
	"os"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// RewriteWAL reads the write-ahead log and writes it where it is, and syncs it.
// After a failed sync, in this process or an earlier one, the system has parts of the
// log in memory that are not on the disk. It may drop them at any moment, even after
// SQLite has read the log and before it copies the log into the file. After
// RewriteWAL, what the log has stays.
//
// RewriteWAL holds SQLite's lock on the log, so that no other process writes to it. It
// closes the connection that it uses, because what that connection knows of the log
// may no longer be right.
func RewriteWAL(path, vfsName, synchronous string) error {
	return rewriteWAL(path, func() (*Conn, error) { return DialWriter(path, vfsName, synchronous, false) })
}

// RewriteWALAlone is RewriteWAL for a file that is opened by DialAlone.
func RewriteWALAlone(path, synchronous string) error {
	return rewriteWAL(path, func() (*Conn, error) { return DialAlone(path, synchronous) })
}

func rewriteWAL(path string, dial func() (*Conn, error)) (err error) {
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() == 0 {
		return nil // where there is none there is nothing to renew
	}
	c, err := dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Abandon()) }()
	if err := c.Run("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	log, err := c.FileControl("", sqlite3.FCNTL_JOURNAL_POINTER)
	if err != nil {
		return err
	}
	return errors.Join(rewrite(log.(vfs.File)), c.Run("ROLLBACK"))
}

// rewrite writes to a file what is in it, and syncs that.
func rewrite(f vfs.File) error {
	size, err := f.Size()
	if err != nil {
		return err
	}
	buffer := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		n, err := f.ReadAt(buffer[:min(int64(len(buffer)), size-at)], at)
		if n == 0 && err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			break // it has become shorter
		}
		if _, err := f.WriteAt(buffer[:n], at); err != nil {
			return err
		}
		at += int64(n)
	}
	return f.Sync(vfs.SYNC_FULL)
}
