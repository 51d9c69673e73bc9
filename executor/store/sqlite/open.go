package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

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
	if s.path, err = place(o.Path, o.syncDir); err != nil {
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
			err = errors.Join(err, s.committer.close(true), s.lock.release())
		}
	}()
	if err := s.connect(); err != nil {
		return nil, err
	}
	if err := s.recover(ctx); err != nil {
		return nil, s.inOpening(err)
	}
	if err := s.readers.warm(s); err != nil {
		return nil, s.inOpening(err)
	}
	go s.commitLoop()
	return s, nil
}

// connect opens the file, and brings it to this program's version.
func (s *Store) connect() error {
	h, err := look(s.path) // again: until it was held, another process could change it
	if err != nil {
		return err
	}
	if s.opened, err = makeFiles(s.path); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if err := s.options.syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("make the store: %w", err)
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
