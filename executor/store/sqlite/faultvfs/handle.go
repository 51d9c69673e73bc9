package faultvfs

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
)

// handle is one opening of a file.
type handle struct {
	vfs   *VFS
	kind  Kind
	path  string
	base  vfs.File
	cache *cache // nil where nothing is to be lost
}

// cut takes away what a dead process would not hold; it needs the lock.
func (h *handle) cut() {
	if err := h.base.Unlock(vfs.LOCK_NONE); err != nil {
		panic(fmt.Sprintf("faultvfs: there is no power cut while a lock of %s stays: %v", h.path, err))
	}
	if h.kind == Main {
		removeShared(h.path)
	}
}

// Close implements vfs.File.
func (h *handle) Close() error {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	h.vfs.forget(h)
	return h.base.Close()
}

// ReadAt implements vfs.File.
func (h *handle) ReadAt(p []byte, off int64) (n int, err error) {
	err = h.vfs.do(Read, h.kind, func(fault error) error {
		switch {
		case fault != nil:
			return fault
		case h.cache == nil:
			n, err = h.base.ReadAt(p, off)
		default:
			n, err = h.cache.read(h.base, p, off)
		}
		return err
	})
	return n, err
}

// WriteAt implements vfs.File.
func (h *handle) WriteAt(p []byte, off int64) (n int, err error) {
	err = h.vfs.do(Write, h.kind, func(fault error) error {
		if fault != nil {
			p = p[:h.vfs.random.IntN(len(p)+1)]
		}
		if h.cache == nil {
			n, err = h.base.WriteAt(p, off)
		} else {
			n, err = h.cache.write(h.base, p, off)
		}
		if fault != nil {
			return fault
		}
		return err
	})
	return n, err
}

// Truncate implements vfs.File.
func (h *handle) Truncate(size int64) error {
	return h.vfs.do(Truncate, h.kind, func(fault error) error {
		switch {
		case fault != nil:
			return fault
		case h.cache == nil:
			return h.base.Truncate(size)
		}
		return h.cache.truncate(h.base, size)
	})
}

// Sync implements vfs.File.
func (h *handle) Sync(flags vfs.SyncFlag) error {
	err := h.vfs.do(Sync, h.kind, func(fault error) error {
		switch {
		case h.cache == nil:
			return fault
		case fault == nil:
			return h.cache.flush(h.base)
		}
		if err := h.cache.lose(h.base); err != nil {
			return err
		}
		return fault
	})
	if err == nil && h.vfs.options.Fsync { // not under the lock: others may read meanwhile
		err = h.base.Sync(flags)
	}
	return err
}

// Size implements vfs.File.
func (h *handle) Size() (int64, error) {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	switch {
	case h.vfs.cut:
		return 0, sqlite3.IOERR
	case h.cache == nil:
		return h.base.Size()
	}
	return h.cache.size, nil
}

// Lock implements vfs.File.
func (h *handle) Lock(lock vfs.LockLevel) error {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	if h.vfs.cut {
		return sqlite3.IOERR
	}
	return h.base.Lock(lock)
}

// Unlock implements vfs.File.
func (h *handle) Unlock(lock vfs.LockLevel) error {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	return h.base.Unlock(lock)
}

// CheckReservedLock implements vfs.File.
func (h *handle) CheckReservedLock() (bool, error) {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	if h.vfs.cut {
		return false, sqlite3.IOERR
	}
	return h.base.CheckReservedLock()
}

// LockState implements vfs.FileLockState.
func (h *handle) LockState() vfs.LockLevel {
	h.vfs.mu.Lock()
	defer h.vfs.mu.Unlock()
	return vfsutil.WrapLockState(h.base)
}

// SectorSize implements vfs.File.
func (h *handle) SectorSize() int { return h.base.SectorSize() }

// DeviceCharacteristics implements vfs.File. Atomic batches, which some file
// systems offer, would go past the cache.
func (h *handle) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return h.base.DeviceCharacteristics() &^ vfs.IOCAP_BATCH_ATOMIC
}

// SharedMemory implements vfs.FileSharedMemory.
func (h *handle) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(h.base) }

// HasMoved implements vfs.FileHasMoved.
func (h *handle) HasMoved() (bool, error) { return vfsutil.WrapHasMoved(h.base) }

// PersistWAL implements vfs.FilePersistWAL.
func (h *handle) PersistWAL() bool { return vfsutil.WrapPersistWAL(h.base) }

// SetPersistWAL implements vfs.FilePersistWAL.
func (h *handle) SetPersistWAL(keep bool) { vfsutil.WrapSetPersistWAL(h.base, keep) }

// PowersafeOverwrite implements vfs.FilePowersafeOverwrite.
func (h *handle) PowersafeOverwrite() bool { return vfsutil.WrapPowersafeOverwrite(h.base) }

// SetPowersafeOverwrite implements vfs.FilePowersafeOverwrite.
func (h *handle) SetPowersafeOverwrite(on bool) { vfsutil.WrapSetPowersafeOverwrite(h.base, on) }

var (
	_ vfs.FileLockState          = (*handle)(nil)
	_ vfs.FileSharedMemory       = (*handle)(nil)
	_ vfs.FileHasMoved           = (*handle)(nil)
	_ vfs.FilePersistWAL         = (*handle)(nil)
	_ vfs.FilePowersafeOverwrite = (*handle)(nil)
)
