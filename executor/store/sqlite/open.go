package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// HeldError is the error of Open if another process holds the store. It names the
// process.
type HeldError = disk.HeldError

// Open opens a store, or makes one if there is no file. One process holds a store
// at a time; any other gets a *HeldError.
//
// Before it returns, Open handles the tasks that ran when the last process died.
// Those that may run again are queued; the others end as interrupted.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	o.setDefaults()
	s := &Store{types: file.NewTypes(),
		options: o, log: o.Logger, over: make(chan struct{}), wake: make(chan struct{}, 1),
		permits: permits{given: map[int64]struct{}{}},
		live:    map[uuid.UUID]*record{}, descents: map[uuid.UUID]int{}, running: map[*record]struct{}{}, claims: queue{window: o.window},
	}
	s.planned = kit.NewPlanned(o.Resources, s.claims.Wake, s.endPlanned, s.pass)
	s.readers.init()
	s.committer.typed, s.committer.ended = map[file.TypeSpan]struct{}{}, map[file.EndSpan]struct{}{}
	if s.path, err = disk.PreparePath(o.Path, o.syncDir); err != nil {
		return nil, err
	}
	if _, err := file.Probe(s.path); err != nil { // make no files beside a file that is not a store
		return nil, whileCopied(err)
	}
	if s.lock, err = disk.TakeLock(s.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.committer.close(true), s.lock.Release())
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
	s.company = time.AfterFunc(companyDelay, s.alone)
	s.telling = time.AfterFunc(executor.ProgressEvery, s.tellProgress)
	s.mu.Lock()
	s.trees.Changed = s.tellSoon
	s.planned.Settle(schema.Now()) // last: from now on, tasks may end because of their conditions
	s.mu.Unlock()
	go s.commitLoop()
	return s, nil
}

// whileCopied names the process that makes a copy, where one does.
func whileCopied(err error) error {
	if copied, is := errors.AsType[*file.UnfinishedCopyError](err); is {
		if holder, e := disk.HolderOf(copied.Path); e == nil && holder != "" {
			return &HeldError{Path: copied.Path, Holder: holder}
		}
	}
	return err
}

// connect opens the file, and brings it to this program's version.
func (s *Store) connect() error {
	empty, err := file.Probe(s.path) // again, because another process could change it before the lock was held
	if err != nil {
		return err
	}
	if s.opened, err = disk.CreateFiles(s.path); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if err := s.options.syncDir(filepath.Dir(s.path)); err != nil {
		return fmt.Errorf("make the store: %w", err)
	}
	if err := file.RewriteWAL(s.path, s.options.VFS, s.options.synchronous); err != nil {
		return s.inOpening(err)
	}
	if err := s.keepDamagedLog(); err != nil {
		return err
	}
	c, err := file.DialWriter(s.path, s.options.VFS, s.options.synchronous, empty)
	if err != nil {
		return s.inOpening(err)
	}
	s.committer.conn = c
	if err := file.Migrate(c, s.path); err != nil {
		return s.inOpening(err)
	}
	if err := file.CheckTables(c, s.path, file.Version()); err != nil {
		return s.inOpening(err)
	}
	return s.inOpening(c.RestartWALUnlessRead())
}

// inOpening adds the name of the file to an error that lacks it, and says where the
// file is damaged.
func (s *Store) inOpening(err error) error {
	err = file.ExplainCorruption(s.path, err, file.AdviceInspect)
	if err == nil || strings.Contains(err.Error(), s.path) {
		return err
	}
	return fmt.Errorf("open the store %s: %w", s.path, s.explain(err))
}

// keepDamagedLog keeps a copy of a damaged log, because SQLite uses only what is
// before the damage and drops the rest.
func (s *Store) keepDamagedLog() error {
	d, err := file.ScanWAL(s.path)
	if err != nil {
		return fmt.Errorf("read the write-ahead log of %s: %w", s.path, err)
	}
	if d == (file.WALDamage{}) {
		return nil
	}
	to := fmt.Sprintf("%s-wal.damaged-%s", s.path, time.Now().UTC().Format("20060102T150405.000Z"))
	if err := disk.CopyFile(s.path+"-wal", to); err != nil {
		return fmt.Errorf("%s: %v; keep a copy of it as %s: %w; make that possible, or remove %[1]s-wal", s.path, d, to, err)
	}
	s.log.Warn(d.String(), "file", s.path, "copy", to)
	return nil
}

var _ executor.Store = (*Store)(nil)
