package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// lossError says that what was recorded is lost, or may be. Nothing puts that
// right while the process lives: what it has in memory is not in the file.
type lossError string

func (e lossError) Error() string { return string(e) }

// lookEvery is how long a look at the files holds: it costs as much as some
// commits, where they are small.
const lookEvery = 5 * time.Millisecond

// inPlace says whether the store's files are those that were opened and have
// all that was committed. It is asked before each transaction, and looks now and
// then: what is written to a file that has lost its name is lost with it. After
// a lossError it never says so again.
func (s *Store) inPlace() error {
	c := &s.committer
	if c.lost != nil {
		return c.lost
	}
	if !c.broken && time.Since(c.looked) < s.options.lookEvery {
		return nil
	}
	c.looked = time.Now()
	err := s.stillHeld()
	if err == nil {
		err = s.fileInPlace()
	}
	if err == nil && c.conn != nil {
		err = s.logInPlace()
	}
	return s.lose(err)
}

// lose notes a lossError.
func (s *Store) lose(err error) error {
	if loss, ok := errors.AsType[lossError](err); ok {
		s.committer.lost = loss
		s.log.Error("the store records nothing any more", "file", s.path, "error", loss)
	}
	return err
}

// moved reports whether a path leads no longer to a file.
func moved(path string, was os.FileInfo) (bool, error) {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && !os.SameFile(was, now), err
}

// stillHeld says whether the lock keeps others out: it does by its name.
func (s *Store) stillHeld() error {
	gone, err := moved(s.lock.Name(), s.lock.info)
	if gone {
		return lossError(s.lock.Name() + " was removed or replaced while it was in use, so another server may have the store, too; end this server")
	}
	return err
}

func (s *Store) fileInPlace() error {
	gone, err := moved(s.path, s.opened)
	if gone {
		return fmt.Errorf("%s was removed or replaced while it was in use; put it back, or end this server", s.path)
	}
	return err
}

// logInPlace looks at the files that the connection has open.
func (s *Store) logInPlace() error {
	c, m := s.committer.conn, &s.committer.conn.marks
	if m.logInfo == nil { // it was broken from the beginning
		return nil
	}
	gone, err := moved(s.path+"-wal", m.logInfo)
	if gone {
		return s.rescue()
	}
	if err != nil || s.committer.broken { // after an error the log may end sooner: reconnect looks at what is in it
		return err
	}
	if err := c.fileWhole(s.path); err != nil {
		return err
	}
	if err := c.logWhole(s.path); err != nil {
		return err
	}
	gone, err = moved(s.path+"-shm", m.indexInfo)
	if gone { // what opens the file from now on has an index of its own, and sees nothing of what is written by this one
		s.log.Warn("the index of the write-ahead log was removed while it was in use; it is made anew", "file", s.path+"-shm")
		s.committer.broken = true
	}
	return err
}

// rescue copies a log that has lost its name into the file.
func (s *Store) rescue() error {
	what := s.path + "-wal was removed or replaced while it was in use; "
	frames, copied, err := s.committer.conn.WALCheckpoint("", sqlite3.CHECKPOINT_FULL)
	if err == nil && copied < frames {
		err = sqlite3.BUSY
	}
	if err != nil {
		return lossError(fmt.Sprintf("%swhat it held could not be saved in %s (%v); end this server, and put the log back before another is started", what, s.path, err))
	}
	return lossError(what + "what it held was saved in " + s.path + "; end this server, and remove what is there by the name of the log")
}

// marks are what a connection knows of the files that it has open.
type marks struct {
	logInfo, indexInfo os.FileInfo
	file, log          vfs.File
	page               int64 // bytes
	fileSize           int64 // after the latest checkpoint
	// tail is the frame of the log in which the latest commit had ended at the
	// latest look, 0 for none, and salts are those that it had.
	tail  int
	salts string
}

// copyLog copies the write-ahead log into the file, and notes how long that is
// then: nothing else makes it shorter. The first time it notes which the files are.
func (c *conn) copyLog(mode sqlite3.CheckpointMode) error {
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

func (c *conn) mark() (err error) {
	m, path := &marks{}, c.Filename("").String()
	if m.page, err = c.number("PRAGMA page_size"); err != nil {
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
func (c *conn) handle(which sqlite3.FcntlOpcode) (vfs.File, error) {
	found, err := c.FileControl("", which)
	if f, ok := found.(vfs.File); ok || err != nil {
		return f, err
	}
	return nil, fmt.Errorf("SQLite has no open file of kind %d", which)
}

// fileWhole says whether the file has not become shorter. After a checkpoint of
// another program it is as long as its pages are many.
func (c *conn) fileWhole(path string) error {
	size, err := c.marks.file.Size()
	if err != nil || size >= c.marks.fileSize {
		return err
	}
	if pages, err := c.number("PRAGMA page_count"); err == nil && size >= pages*c.marks.page {
		c.marks.fileSize = size
		return nil
	}
	return lossError(fmt.Sprintf("%s was cut from %d to %d bytes while it was in use; end this server, then put a backup in its place, or %s",
		path, c.marks.fileSize, size, lookInside))
}

// logWhole says whether the log still has all that was committed to it, by a
// look at its length and at the ends of two commits.
func (c *conn) logWhole(path string) error {
	whole, err := c.hasFrames()
	if whole || err != nil {
		return err
	}
	// A checkpoint, of this or another program, may have let it begin anew.
	frames, _, err := c.WALCheckpoint("", sqlite3.CHECKPOINT_NOOP)
	if err != nil {
		return err
	}
	if frames != c.logPages {
		c.logPages, c.marks.tail = frames, 0
		if whole, err = c.hasFrames(); whole || err != nil {
			return err
		}
	}
	return lossError(fmt.Sprintf("%s-wal was cut or overwritten while it was in use, and what was recorded in it is lost; end this server, then put a backup in the place of %[1]s, or %s",
		path, lookInside))
}

// hasFrames looks for the frame in which the latest commit ended, and for the
// one at the latest look: a log that was cut between the two is as long as
// before, with nothing where the older one was.
func (c *conn) hasFrames() (bool, error) {
	m := &c.marks
	last := c.logPages
	if last == 0 {
		return true, nil
	}
	size, err := m.log.Size()
	if err != nil || size < frameAt(last+1, m.page) {
		return false, err
	}
	head := make([]byte, logHeader)
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
	b := make([]byte, frameHead)
	if _, err := m.log.ReadAt(b, frameAt(n, m.page)); err != nil && err != io.EOF {
		return false, err
	}
	return frameSalts(b) == salts && ends(b), nil
}

// remembers says whether the file has every commit that somebody was told of.
func (s *Store) remembers() error {
	st, err := readState(s.committer.conn)
	if told := s.committer.told; err == nil && st.commits < told {
		err = s.lose(lossError(fmt.Sprintf("the store has lost what was recorded: it has %d transactions, and %d were made; end this server, then put a backup in its place, or %s",
			st.commits, told, lookInside)))
	}
	return err
}

// orphaned refuses to make a store beside the log of one whose file has gone:
// SQLite would destroy the log.
func orphaned(path string) error {
	log := path + "-wal"
	info, err := os.Stat(log)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("there is nothing in %s, but %s, the write-ahead log of a store, has %d bytes, in which there may be tasks; put the file of that store back, or remove the log", path, log, info.Size())
}
