package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// This file makes a file of a copy. Until it is whole it has another name.

// target is a file that is filled.
type target struct {
	path  string
	part  string // its name until it is committed
	lock  *disk.Lock
	conn  *file.Conn // nil once it is closed
	about *transfer.About
}

// CopyInto begins a new file, which must not be there. Until it is committed it has the suffix .part, and is no
// store; Open gets a *HeldError that names this process. What a copy has left that did not end is replaced.
func CopyInto(path string) (transfer.Target, error) {
	to, err := disk.PreparePath(path, disk.SyncDir)
	if err != nil {
		return nil, err
	}
	if err := disk.TrustedDir(filepath.Dir(to), "the copy "+filepath.Base(to)); err != nil {
		return nil, err
	}
	if err := vacant(to); err != nil { // make no files beside it
		return nil, err
	}
	t := &target{path: to, part: to + disk.PartSuffix}
	if t.lock, err = disk.TakeLockTo(to, ", which copies a store into it"); err != nil {
		return nil, err
	}
	if err := vacant(to); err != nil { // again, because a server could make it before the lock was held
		return nil, errors.Join(err, t.lock.Release())
	}
	if err := t.begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("make the store %s: %w", path, err), t.Close())
	}
	return t, nil
}

// vacant refuses a name that is taken. A log that is left of another store would become a part of the copy.
func vacant(path string) error {
	for _, suffix := range []string{"", "-wal", "-journal"} {
		switch _, err := os.Lstat(path + suffix); {
		case err == nil:
			return fmt.Errorf("%s exists, and a copy replaces nothing; name another file", path+suffix)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

// partFiles are those of a file that is not committed.
func (t *target) partFiles() []string { return []string{t.part, t.part + "-wal", t.part + "-shm"} }

func (t *target) begin() error {
	if err := t.remove(); err != nil {
		return err
	}
	if _, err := disk.CreateFiles(t.part); err != nil {
		return err
	}
	var err error
	if t.conn, err = file.DialWriter(t.part, "", "OFF", true); err != nil { // it is synced as a whole at the end
		return err
	}
	return file.Migrate(t.conn, t.part)
}

func (t *target) remove() (err error) {
	for _, name := range t.partFiles() {
		err = errors.Join(err, disk.RemoveIfExists(name))
	}
	return err
}

// Fill implements transfer.Target.
func (t *target) Fill(ctx context.Context, from transfer.Source) error {
	t.about = from.About()
	f := newFiller(t.conn)
	err := from.Forgotten(ctx, f.forgotten)
	if err == nil {
		err = from.Finals(ctx, f.task)
	}
	if err == nil {
		err = from.Waiting(ctx, f.task)
	}
	if err == nil {
		err = f.finish(t.about)
	}
	return err
}

// Filled implements transfer.Target.
func (t *target) Filled(context.Context) (transfer.Source, error) {
	c := &fileContents{conn: t.conn, types: file.NewTypes()}
	return c, c.readAbout(schema.Now())
}

// Commit implements transfer.Target.
func (t *target) Commit(context.Context) error {
	err := t.conn.RestartWAL()
	err = errors.Join(err, t.conn.Close())
	t.conn = nil
	if err == nil {
		err = disk.SyncFile(t.part)
	}
	if err == nil {
		err = vacant(t.path)
	}
	if err == nil {
		err = os.Rename(t.part, t.path)
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(t.path))
	}
	if err != nil {
		return fmt.Errorf("make the store %s: %w", t.path, err)
	}
	return nil
}

// Close implements transfer.Target.
func (t *target) Close() (err error) {
	if t.conn != nil {
		err = t.conn.Abandon()
	}
	err = errors.Join(err, t.remove())
	_ = os.Remove(t.lock.Name()) // while it is held; on Windows it stays
	return errors.Join(err, t.lock.Release())
}
