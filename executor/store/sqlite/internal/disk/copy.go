package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// PartSuffix is the suffix of the name of a copy until it is complete.
const PartSuffix = ".part"

// SyncFile syncs a file to the disk.
func SyncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// RemoveIfExists removes a file if it exists.
func RemoveIfExists(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// CopyFile makes a copy that is on the disk, or none.
func CopyFile(from, to string) error {
	in, err := OpenToRead(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return SyncDir(filepath.Dir(to))
}
