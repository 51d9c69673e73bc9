package sqlite

import (
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// checkFilesEvery is how long the result of a check of the files is reused. A check
// costs as much as a few small commits.
const checkFilesEvery = 5 * time.Millisecond

// filesIntact checks that the store's files are those that were opened and have all
// that was committed, because writes to a removed file are lost. It is called before
// each transaction, but looks at the files only now and then. After a LossError it
// always fails.
func (s *Store) filesIntact() error {
	c := &s.committer
	if c.lost != nil {
		return c.lost
	}
	if !c.broken && time.Since(c.filesCheckedAt) < s.options.checkFilesEvery {
		return nil
	}
	c.filesCheckedAt = time.Now()
	err := s.stillHeld()
	if err == nil {
		err = s.fileUnmoved()
	}
	if err == nil && c.conn != nil {
		err = s.walIntact()
	}
	return s.lose(err)
}

// lose records a LossError.
func (s *Store) lose(err error) error {
	if loss, ok := errors.AsType[file.LossError](err); ok {
		s.committer.lost = loss
		s.log.Error("the store records nothing any more", "file", s.path, "error", loss)
	}
	return err
}

// stillHeld checks that the lock file still has its name. Without it, the lock does
// not keep other processes out.
func (s *Store) stillHeld() error {
	gone, err := s.lock.Moved()
	if gone {
		return file.LossError(s.lock.Name() + " was removed or replaced while it was in use, so another server may have the store, too; end this server")
	}
	return err
}

func (s *Store) fileUnmoved() error {
	gone, err := disk.Moved(s.path, s.opened)
	if gone {
		return fmt.Errorf("%s was removed or replaced while it was in use; put it back, or end this server", s.path)
	}
	return err
}

// walIntact looks at the files that the connection has open.
func (s *Store) walIntact() error {
	c := s.committer.conn
	if !c.Marked() { // it was broken from the beginning
		return nil
	}
	gone, err := c.WALMoved(s.path)
	if gone {
		return s.rescue()
	}
	if err != nil || s.committer.broken { // after an error the log may be shorter; reconnect checks it
		return err
	}
	if err := c.FileIntact(s.path); err != nil {
		return err
	}
	if err := c.WALIntact(s.path); err != nil {
		return err
	}
	gone, err = c.IndexMoved(s.path)
	if gone { // new connections have another index, and do not see what this one writes
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
		return file.LossError(fmt.Sprintf("%swhat it held could not be saved in %s (%v); end this server, and put the log back before another is started", what, s.path, err))
	}
	return file.LossError(what + "what it held was saved in " + s.path + "; end this server, and remove what is there by the name of the log")
}

// hasAcknowledged checks that the file has every acknowledged commit.
func (s *Store) hasAcknowledged() error {
	st, err := file.ReadState(s.committer.conn)
	if told := s.committer.acknowledged; err == nil && st.Commits < told {
		err = s.lose(file.LossError(fmt.Sprintf("the store has lost what was recorded: it has %d transactions, and %d were made; end this server, then put a backup in its place, or %s",
			st.Commits, told, file.AdviceInspect)))
	}
	return err
}
