package file

import (
	"encoding/binary"

	"github.com/ncruces/go-sqlite3/vfs"
)

// maxGathered bounds the bytes that a walFile holds back.
const maxGathered = 64 << 10

// walFile is a write-ahead log that gathers small writes. SQLite writes the header and the page of
// each frame in turn; walFile writes many frames by one call. It does so before a sync, when
// the frame that ends a commit is complete, and before any other operation on the file. Other
// processes see a commit no later for it: SQLite announces a commit, in shared memory, after it has
// written that frame. A failed write is reported by the call that caused it, within the same commit.
type walFile struct {
	vfs.File
	gathered []byte
	at       int64 // the offset of gathered in the file
	ends     bool  // the last write was the header of the frame that ends a commit
}

// WriteAt implements io.WriterAt.
func (f *walFile) WriteAt(p []byte, at int64) (int, error) {
	if at != f.at+int64(len(f.gathered)) || len(f.gathered)+len(p) > maxGathered {
		if err := f.flush(); err != nil {
			return 0, err
		}
		f.at = at
	}
	if at == 0 || len(p) > maxGathered { // others may read the header of the log at once
		f.at, f.ends = at+int64(len(p)), false
		return f.File.WriteAt(p, at)
	}
	f.gathered = append(f.gathered, p...)
	whole := f.ends
	if f.ends = len(p) == FrameHeaderSize && binary.BigEndian.Uint32(p[4:]) != 0; whole {
		if err := f.flush(); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

func (f *walFile) flush() error {
	p := f.gathered
	if len(p) == 0 {
		return nil
	}
	f.gathered = f.gathered[:0]
	n, err := f.File.WriteAt(p, f.at)
	f.at += int64(n)
	return err
}

// ReadAt implements io.ReaderAt.
func (f *walFile) ReadAt(p []byte, at int64) (int, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, at)
}

// Sync implements vfs.File.
func (f *walFile) Sync(flags vfs.SyncFlag) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Sync(flags)
}

// Truncate implements vfs.File.
func (f *walFile) Truncate(size int64) error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

// Size implements vfs.File.
func (f *walFile) Size() (int64, error) {
	if err := f.flush(); err != nil {
		return 0, err
	}
	return f.File.Size()
}

// Close implements io.Closer. Bytes that are still gathered belong to a commit that was given up.
func (f *walFile) Close() error {
	f.gathered = nil
	return f.File.Close()
}
