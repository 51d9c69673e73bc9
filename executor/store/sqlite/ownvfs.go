package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// ownName names ownVFS for SQLite.
const ownName = "jobline-own"

var registerOwn = sync.OnceFunc(func() { vfs.Register(ownName, ownVFS{vfs.Find("").(vfs.VFSFilename)}) })

// ownVFS is the system's VFS, which opens files that are this user's alone. Between
// the look at the files of a store and the moment in which SQLite opens them, another
// user could put one that was not there into a directory such as /tmp: a journal, of
// which SQLite would take over what is in it.
type ownVFS struct{ vfs.VFSFilename }

// ownFile is what the system's VFS opens.
type ownFile interface {
	vfs.File
	Stat() (fs.FileInfo, error)
	chmoder
}

// OpenFilename implements vfs.VFSFilename.
func (v ownVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, opened, err := v.VFSFilename.OpenFilename(name, flags)
	if own, ok := f.(ownFile); ok && err == nil && name != nil {
		if err := takeOwn(own, name.String()); err != nil {
			return nil, flags, errors.Join(fmt.Errorf("%w: %w", sqlite3.CANTOPEN, err), f.Close())
		}
	}
	return f, opened, err
}

// takeOwn refuses a file that is not this user's alone, and lets only this user read
// and write it.
func takeOwn(f ownFile, path string) error {
	info, err := f.Stat()
	if err == nil {
		err = ours(path, info, aPart, orRemove)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = narrow(f)
	}
	return err
}
