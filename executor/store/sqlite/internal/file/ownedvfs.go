package file

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// ownedVFSName names ownedVFS for SQLite.
const ownedVFSName = "jobline-owned"

var registerOwnedVFS = sync.OnceFunc(func() { vfs.Register(ownedVFSName, ownedVFS{vfs.Find("").(vfs.VFSFilename)}) })

// ownedVFS is the system's VFS, but opens only files that belong to this user alone.
// Between the check of a store's files and the moment in which SQLite opens them,
// another user could add a missing file in a directory such as /tmp. If that file is a
// journal, SQLite would apply its content.
type ownedVFS struct{ vfs.VFSFilename }

// ownedFile is what the system's VFS opens.
type ownedFile interface {
	vfs.File
	disk.Handle
}

// OpenFilename implements vfs.VFSFilename.
func (v ownedVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, opened, err := v.VFSFilename.OpenFilename(name, flags)
	if own, ok := f.(ownedFile); ok && err == nil && name != nil {
		if err := disk.TakeOwned(own, name.String()); err != nil {
			return nil, flags, errors.Join(fmt.Errorf("%w: %w", sqlite3.CANTOPEN, err), f.Close())
		}
	}
	if err == nil && flags&vfs.OPEN_WAL != 0 {
		f = &walFile{File: f}
	}
	return f, opened, err
}
