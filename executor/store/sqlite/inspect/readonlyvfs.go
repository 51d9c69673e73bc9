package inspect

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// readOnlyVFSName names readOnlyVFS for SQLite.
const readOnlyVFSName = "jobline-read-only"

var registerReadOnlyVFS = sync.OnceFunc(func() { vfs.Register(readOnlyVFSName, readOnlyVFS{}) })

// readOnlyVFS reads a database that nobody writes, with the write-ahead log that
// a killed process has left. It makes, changes, locks and deletes no file of it.
type readOnlyVFS struct{}

// Open implements vfs.VFS. SQLite calls OpenFilename.
func (readOnlyVFS) Open(string, vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	return nil, 0, sqlite3.CANTOPEN
}

// OpenFilename implements vfs.VFSFilename.
func (readOnlyVFS) OpenFilename(of *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if flags&vfs.OPEN_WAL == 0 && (flags&vfs.OPEN_MAIN_DB == 0 || flags&vfs.OPEN_READONLY == 0) {
		// The copy that VACUUM INTO makes, and what SQLite sorts on disk.
		return vfs.Find("").(vfs.VFSFilename).OpenFilename(of, flags)
	}
	name := of.String()
	readOnly := flags&^(vfs.OPEN_READWRITE|vfs.OPEN_CREATE) | vfs.OPEN_READONLY
	f, err := disk.OpenToRead(name)
	if errors.Is(err, fs.ErrNotExist) && flags&vfs.OPEN_WAL != 0 {
		return &readOnlyFile{SizeReader: io.NewSectionReader(strings.NewReader(""), 0, 0)}, readOnly, nil
	}
	if err != nil {
		return nil, flags, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, flags, errors.Join(err, f.Close())
	}
	return &readOnlyFile{SizeReader: io.NewSectionReader(f, 0, info.Size()), Closer: f}, readOnly, nil
}

// Delete implements vfs.VFS. The journal of a copy is all that is deleted.
func (readOnlyVFS) Delete(name string, sync bool) error {
	if !strings.HasSuffix(name, disk.PartSuffix+"-journal") {
		return sqlite3.READONLY
	}
	return vfs.Find("").Delete(name, sync)
}

// Access implements vfs.VFS.
func (readOnlyVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	_, err := os.Lstat(name)
	return err == nil && flags == vfs.ACCESS_EXISTS, nil
}

// FullPathname implements vfs.VFS.
func (readOnlyVFS) FullPathname(name string) (string, error) { return filepath.Abs(name) }

// sizeReader is a file as it was when it was opened.
type sizeReader interface {
	io.ReaderAt
	Size() int64
}

// readOnlyFile is a file of readOnlyVFS. Its locks are none: without shared memory
// SQLite takes them for a file that nobody else has.
type readOnlyFile struct {
	SizeReader sizeReader
	Closer     io.Closer // nil where there is no file
}

func (f *readOnlyFile) Close() error {
	if f.Closer == nil {
		return nil
	}
	return f.Closer.Close()
}

func (f *readOnlyFile) ReadAt(p []byte, at int64) (int, error)          { return f.SizeReader.ReadAt(p, at) }
func (f *readOnlyFile) Size() (int64, error)                            { return f.SizeReader.Size(), nil }
func (f *readOnlyFile) WriteAt([]byte, int64) (int, error)              { return 0, sqlite3.READONLY }
func (f *readOnlyFile) Truncate(int64) error                            { return sqlite3.READONLY }
func (f *readOnlyFile) Sync(vfs.SyncFlag) error                         { return nil }
func (f *readOnlyFile) Lock(vfs.LockLevel) error                        { return nil }
func (f *readOnlyFile) Unlock(vfs.LockLevel) error                      { return nil }
func (f *readOnlyFile) CheckReservedLock() (bool, error)                { return false, nil }
func (f *readOnlyFile) SectorSize() int                                 { return 0 }
func (f *readOnlyFile) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }
