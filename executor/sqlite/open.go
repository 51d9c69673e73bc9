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
		live: map[uuid.UUID]*record{}, running: map[*record]struct{}{}, ended: map[uuid.UUID]*record{},
	}
	s.types.init()
	s.readers.init()
	if s.path, err = place(o.Path); err != nil {
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

// place makes the directory, and answers the path with no symbolic link in it,
// so that all names of a file are one store.
func place(path string) (string, error) {
	if path == "" {
		return "", errors.New("a store needs the path of a file")
	}
	if strings.ContainsRune(path, 0) {
		return "", fmt.Errorf("the path %q has a NUL byte", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of the store: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real, nil
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
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
	if err := checkPlace(s.path); err != nil {
		return err
	}
	if err := makeFiles(s.path); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if err := syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	steps := migrations()
	h, err := readHeader(s.path)
	if err != nil {
		return err
	}
	if h.version > int64(len(steps)) {
		return tooNew(s.path, h.version, int64(len(steps)))
	}
	if s.opened, err = os.Stat(s.path); err != nil {
		return err
	}
	c, err := dialWriter(&s.options, s.path, h.empty)
	if err != nil {
		return s.inOpening(err)
	}
	s.committer.conn = c
	if err := migrate(c, s.path, steps); err != nil {
		return s.inOpening(err)
	}
	if err := checkTables(c, s.path, steps); err != nil {
		return s.inOpening(err)
	}
	return s.inOpening(c.restartUnlessRead())
}

// inOpening names the file in an error that does not.
func (s *Store) inOpening(err error) error {
	if err == nil || strings.Contains(err.Error(), s.path) {
		return err
	}
	return fmt.Errorf("open the store %s: %w", s.path, s.explain(err))
}

// makeFiles makes what SQLite would make with a mode that lets others read.
func makeFiles(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		f, err := os.OpenFile(path+suffix, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace refuses a file that others may write.
func checkPlace(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("the store %s is not a file: %s", path, info.Mode().Type())
	case writableByOthers(info):
		return fmt.Errorf("the store %s can be written by other users: its mode is %#o; chmod 600 it", path, info.Mode().Perm())
	}
	return nil
}

var _ executor.Store = (*Store)(nil)
