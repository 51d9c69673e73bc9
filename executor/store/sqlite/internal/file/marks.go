package file

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// LossError says that recorded data is lost, or may be lost. It is permanent while
// the process lives, because what the process has in memory is not in the file.
type LossError string

func (e LossError) Error() string { return string(e) }

// marks are what a connection knows of the files that it has open.
type marks struct {
	logInfo, indexInfo os.FileInfo
	file, log          vfs.File
	page               int64 // bytes
	fileSize           int64 // after the latest checkpoint
	// tail is the frame of the log in which the latest commit ended when the log was
	// last checked, or 0 for none. salts are the salts of that frame.
	tail  int
	salts string
}

// copyWAL copies the write-ahead log into the file, and notes the length of the file
// then. Nothing else makes the file shorter. The first call also notes the identity of
// the files.
func (c *Conn) copyWAL(mode sqlite3.CheckpointMode) error {
	_, _, err := c.WALCheckpoint("", mode)
	if err != nil && !errors.Is(err, sqlite3.BUSY) {
		return err
	}
	if c.marks.logInfo == nil {
		if e := c.mark(); e != nil {
			return e
		}
	}
	size, e := c.marks.file.Size()
	if e != nil {
		return e
	}
	c.marks.fileSize = size
	return err
}

// Marked reports whether the connection knows which files it has open.
func (c *Conn) Marked() bool { return c.marks.logInfo != nil }

// WALLookedUpTo is the frame of the write-ahead log in which the latest commit had ended
// when the log was last looked at; 0 is none.
func (c *Conn) WALLookedUpTo() int { return c.marks.tail }

// WALMoved reports whether the write-ahead log was removed or replaced.
func (c *Conn) WALMoved(path string) (bool, error) { return disk.Moved(path+"-wal", c.marks.logInfo) }

// IndexMoved reports whether the index of the write-ahead log was removed or replaced.
func (c *Conn) IndexMoved(path string) (bool, error) {
	return disk.Moved(path+"-shm", c.marks.indexInfo)
}

func (c *Conn) mark() (err error) {
	m, path := &marks{}, c.Filename("").String()
	if m.page, err = c.Number("PRAGMA page_size"); err != nil {
		return err
	}
	if m.file, err = c.handle(sqlite3.FCNTL_FILE_POINTER); err != nil {
		return err
	}
	if m.log, err = c.handle(sqlite3.FCNTL_JOURNAL_POINTER); err != nil {
		return err
	}
	if m.logInfo, err = os.Stat(path + "-wal"); err != nil {
		return err
	}
	if m.indexInfo, err = os.Stat(path + "-shm"); err != nil {
		return err
	}
	c.marks = *m
	return nil
}

// handle is a file that the connection has open.
func (c *Conn) handle(which sqlite3.FcntlOpcode) (vfs.File, error) {
	found, err := c.FileControl("", which)
	if f, ok := found.(vfs.File); ok || err != nil {
		return f, err
	}
	return nil, fmt.Errorf("SQLite has no open file of kind %d", which)
}

// FileIntact checks that the file has not become shorter. After a checkpoint by
// another program, it must be at least as long as its number of pages says.
func (c *Conn) FileIntact(path string) error {
	size, err := c.marks.file.Size()
	if err != nil || size >= c.marks.fileSize {
		return err
	}
	if pages, err := c.Number("PRAGMA page_count"); err == nil && size >= pages*c.marks.page {
		c.marks.fileSize = size
		return nil
	}
	return LossError(fmt.Sprintf("%s was cut from %d to %d bytes while it was in use; end this server, then put a backup in its place, or %s",
		path, c.marks.fileSize, size, AdviceInspect))
}

// WALIntact checks that the log still has all that was committed to it. It looks at
// the length of the log and at the last frames of two commits.
func (c *Conn) WALIntact(path string) error {
	whole, err := c.hasFrames()
	if whole || err != nil {
		return err
	}
	// A checkpoint, of this or another program, may have let it begin anew.
	frames, _, err := c.WALCheckpoint("", sqlite3.CHECKPOINT_NOOP)
	if err != nil {
		return err
	}
	if frames != c.WALPages {
		c.WALPages, c.marks.tail = frames, 0
		if whole, err = c.hasFrames(); whole || err != nil {
			return err
		}
	}
	return LossError(fmt.Sprintf("%s-wal was cut or overwritten while it was in use, and what was recorded in it is lost; end this server, then put a backup in the place of %[1]s, or %s",
		path, AdviceInspect))
}

// hasFrames looks for the last frame of the latest commit, and for the one that was
// the last at the previous check. If the log was cut between the two checks, it may be
// as long as before, but has nothing in the place of the older frame.
func (c *Conn) hasFrames() (bool, error) {
	m := &c.marks
	last := c.WALPages
	if last == 0 {
		return true, nil
	}
	size, err := m.log.Size()
	if err != nil || size < FrameAt(last+1, m.page) {
		return false, err
	}
	head := make([]byte, WALHeaderSize)
	if _, err := m.log.ReadAt(head, 0); err != nil {
		return false, err
	}
	salts := string(saltsOf(head))
	whole, err := m.frameOf(salts, last)
	if whole && m.tail > 0 && m.salts == salts {
		whole, err = m.frameOf(salts, m.tail)
	}
	if whole {
		m.salts, m.tail = salts, last
	}
	return whole, err
}

// frameOf reports whether a frame has these salts and ends a commit.
func (m *marks) frameOf(salts string, n int) (bool, error) {
	b := make([]byte, FrameHeaderSize)
	if _, err := m.log.ReadAt(b, FrameAt(n, m.page)); err != nil && err != io.EOF {
		return false, err
	}
	return frameSalts(b) == salts && ends(b), nil
}
