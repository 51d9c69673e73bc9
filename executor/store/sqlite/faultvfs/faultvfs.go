// Package faultvfs is an SQLite VFS for tests that loses power and fails on
// demand.
//
// It stands on the VFS of the system. A lossy one keeps what was written and
// not synced in the memory of this process, as a kernel keeps it in its page
// cache: every connection of the process reads it, and the death of the
// process, or Cut, loses it. So a process that is killed stands for a machine
// that loses power, which a kill alone does not: the kernel survives that.
//
//	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3})
//	db, err := sqlite3.Open("file:/path/tasks.db?vfs=" + v.Name())
//	…
//	v.Cut() // and open the file again, through another VFS
//
// What it does not model: a new file and the deletion of one are on the disk
// at once, and a disk that was told to sync does not lie. The shared memory of
// the write-ahead log is the system's, and cannot be made to fail from here; a
// directory in the place of the -shm file does that.
package faultvfs

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Options sets a VFS. The zero is the system's VFS without syncs, of which
// operations can be made to fail, and which Cut leaves as kill -9 would.
type Options struct {
	// Lossy keeps what was not synced from the real files: of a main database,
	// its write-ahead log and its journal.
	Lossy bool
	// Early is the share, 0 to 1, of what was not synced that reaches the real
	// file all the same, in random order.
	Early float64
	// Sector is how many bytes reach a real file whole or not at all; 0 is
	// 512, so that a page can be torn.
	Sector int
	// Seed is of all that is random. The same calls in the same order have the
	// same fate.
	Seed uint64
	// Fsync makes a sync also sync the real file. No test here needs it: what
	// is in a real file survives the process.
	Fsync bool
}

// VFS is a registered VFS with its faults, and the page cache of its files.
type VFS struct {
	name    string
	options Options
	base    vfs.VFS

	mu      sync.Mutex
	random  *rand.Rand
	cut     bool
	handles map[*handle]struct{}
	caches  map[string]*cache // by path, those of open files and those with a loss to come
	hook    func(Op, Kind)
	calls   map[call]int
	faults  map[call][]fault
}

var registered atomic.Int64

// New registers a VFS with a name of its own, and cuts it when the test is
// over. It stays registered, for a connection that was not closed panics where
// its VFS has gone.
func New(tb testing.TB, o Options) *VFS {
	tb.Helper()
	v := Register(fmt.Sprintf("faultvfs-%d", registered.Add(1)), o)
	tb.Cleanup(v.Cut)
	return v
}

// Register registers a VFS with the given name, for a process without a test.
func Register(name string, o Options) *VFS {
	if o.Early < 0 || o.Early > 1 || o.Sector < 0 {
		panic(fmt.Sprintf("faultvfs: Early is %v, and must be 0 to 1; Sector is %d, and must not be negative", o.Early, o.Sector))
	}
	if o.Sector == 0 {
		o.Sector = 512
	}
	v := &VFS{
		name: name, options: o, base: vfs.Find(""),
		random:  rand.New(rand.NewPCG(o.Seed, 0)),
		handles: map[*handle]struct{}{}, caches: map[string]*cache{},
		calls: map[call]int{}, faults: map[call][]fault{},
	}
	vfs.Register(name, v)
	return v
}

// Name is the value of the vfs parameter in the URI of a database.
func (v *VFS) Name() string { return v.name }

// Cut is the end of power: what is not in the real files is lost, and every
// operation of this VFS fails with sqlite3.IOERR from now on. The connections
// stay open, and may read what they have in caches of their own; closing them,
// now or later, changes no file. The locks are given up and the shared memory
// is removed, as a reboot would do it, so the files can be opened again at once
// through another VFS. No connection may be in the middle of its Close: it
// could remove the shared memory of the next.
//
// A hook may call Cut. To cut again does nothing.
func (v *VFS) Cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for h := range v.handles {
		h.cut()
	}
	v.cut, v.handles, v.caches = true, nil, nil
}

// Evict drops from the page cache what a failed sync has lost, as a kernel does
// some time after it: from now on it reads as it is on the disk.
func (v *VFS) Evict() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.caches {
		c.evict()
	}
}

// Open implements vfs.VFS.
func (v *VFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name != "" {
		return nil, flags, sqlite3.CANTOPEN // as the system's: OpenFilename opens what has a name
	}
	return v.OpenFilename(nil, flags)
}

// OpenFilename implements vfs.VFSFilename.
func (v *VFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (file vfs.File, opened vfs.OpenFlag, err error) {
	kind := kindOfFlags(flags)
	err = v.do(Open, kind, func(fault error) error {
		if fault != nil {
			return fault
		}
		var base vfs.File
		base, opened, err = vfsutil.WrapOpenFilename(v.base, name, flags)
		if err != nil || kind == Other {
			file = base
			return err
		}
		h := &handle{vfs: v, kind: kind, path: name.String(), base: base}
		if v.options.Lossy {
			if h.cache, err = v.cacheOf(h); err != nil {
				return errors.Join(err, base.Close())
			}
		}
		v.handles[h] = struct{}{}
		file = h
		return nil
	})
	if err != nil {
		return nil, flags, err
	}
	return file, opened, nil
}

// cacheOf is the cache that all handles of a path share; it needs the lock.
func (v *VFS) cacheOf(h *handle) (*cache, error) {
	c := v.caches[h.path]
	if c == nil {
		size, err := h.base.Size()
		if err != nil {
			return nil, err
		}
		c = newCache(size, v.options, v.random)
		v.caches[h.path] = c
	}
	c.users++
	return c, nil
}

// forget drops a handle, and its cache where the real file has all of it; it
// needs the lock.
func (v *VFS) forget(h *handle) {
	delete(v.handles, h)
	if h.cache == nil {
		return
	}
	h.cache.users--
	if h.cache.users == 0 && v.caches[h.path] == h.cache && h.cache.idle(h.base) {
		delete(v.caches, h.path)
	}
}

// Delete implements vfs.VFS.
func (v *VFS) Delete(name string, syncDir bool) error {
	return v.do(Delete, kindOfName(name), func(fault error) error {
		if fault != nil {
			return fault
		}
		if err := v.base.Delete(name, syncDir && v.options.Fsync); err != nil {
			return err
		}
		delete(v.caches, name)
		return nil
	})
}

// Access implements vfs.VFS.
func (v *VFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cut {
		return false, sqlite3.IOERR
	}
	return v.base.Access(name, flags)
}

// FullPathname implements vfs.VFS.
func (v *VFS) FullPathname(name string) (string, error) { return v.base.FullPathname(name) }

// removeShared removes the shared memory of a database. The connections that
// have it keep theirs; the next to come makes a new one.
func removeShared(path string) {
	if err := os.Remove(path + "-shm"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		panic(fmt.Sprintf("faultvfs: there is no power cut while the shared memory stays: %v", err))
	}
}

var _ vfs.VFSFilename = (*VFS)(nil)
