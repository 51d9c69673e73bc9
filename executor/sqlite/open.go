package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// HeldError says that another process has the store.
type HeldError struct {
	Path string
	// Holder is what the other process has said of itself.
	Holder string
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("the store %s is held by %s; end that one, or name another file", e.Path, e.Holder)
}

// Open opens a store, or makes one where there is no file. One process holds a
// store at a time: for any other it is a *HeldError.
//
// Tasks that ran when the last process died are dealt with before Open
// returns: those that may run again are queued, the others end as interrupted.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	o.setDefaults()
	s := &Store{
		options: o, log: o.Logger, over: make(chan struct{}), wake: make(chan struct{}, 1),
		live: map[uuid.UUID]*record{}, running: map[*record]struct{}{},
	}
	s.types.init()
	s.readers.init()
	if s.path, err = place(o.Path); err != nil {
		return nil, err
	}
	if _, err := look(s.path); err != nil { // nothing is made beside what is no store
		return nil, err
	}
	if s.lock, err = hold(s.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.committer.close(true), s.lock.Unlock())
		}
	}()
	if err := s.connect(); err != nil {
		return nil, err
	}
	if err := s.recover(ctx); err != nil {
		return nil, s.inOpening(err)
	}
	go s.commitLoop()
	return s, nil
}

// hold takes the store's lock, a file beside it, and says in it who has it.
// The system lets go of it when the process ends, however it does.
func hold(path string) (*flock.Flock, error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock the store %s: %w", path, err)
	}
	if !ok {
		return nil, &HeldError{Path: path, Holder: whoHolds(lock.Path())}
	}
	self := fmt.Sprintf("process %d (%s)\n", os.Getpid(), filepath.Base(os.Args[0]))
	if err := os.WriteFile(lock.Path(), []byte(self), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("lock the store %s: %w", path, err), lock.Unlock())
	}
	return lock, nil
}

// sayPatience is in which time a process that has taken the lock says so: until
// then the text is of the one before it.
const sayPatience = 50 * time.Millisecond

// whoHolds is what the process has said of itself that has the lock. One that has
// only just taken it is about to.
func whoHolds(lock string) string {
	time.Sleep(sayPatience)
	text, err := os.ReadFile(lock)
	if err != nil || len(text) == 0 {
		return "another process"
	}
	return strings.TrimSpace(string(text))
}

// connect opens the file, and brings it to this program's version.
func (s *Store) connect() error {
	h, err := look(s.path) // again: until it was held, another process could change it
	if err != nil {
		return err
	}
	if err := makeFiles(s.path); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if s.opened, err = os.Stat(s.path); err != nil {
		return err
	}
	if err := renewLog(&s.options, s.path); err != nil {
		return s.inOpening(err)
	}
	if err := s.keepDamagedLog(); err != nil {
		return err
	}
	c, err := dialWriter(&s.options, s.path, h.empty)
	if err != nil {
		return s.inOpening(err)
	}
	s.committer.conn = c
	steps := migrations()
	if err := migrate(c, s.path, steps); err != nil {
		return s.inOpening(err)
	}
	if err := checkTables(c, s.path, steps); err != nil {
		return s.inOpening(err)
	}
	return s.inOpening(c.restartUnlessRead())
}

// inOpening names the file in an error that does not, and says where it is damaged.
func (s *Store) inOpening(err error) error {
	err = asSpoiled(s.path, err, lookInside)
	if err == nil || strings.Contains(err.Error(), s.path) {
		return err
	}
	return fmt.Errorf("open the store %s: %w", s.path, s.explain(err))
}

var _ executor.Store = (*Store)(nil)
