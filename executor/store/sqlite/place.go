package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// look refuses what is at the path of a store and is none. It makes and changes
// nothing. Where there is no file, it is empty.
func look(path string) (h header, err error) {
	info, err := os.Lstat(path)
	there := !errors.Is(err, fs.ErrNotExist)
	if err != nil && there {
		return h, err
	}
	if there {
		if err := ours(path, info, theStore, nameFile); err != nil {
			return h, err
		}
		if writableByOthers(info) {
			return h, fmt.Errorf("the store %s can be written by other users: its mode is %#o; chmod 600 it if you trust what is in it", path, info.Mode().Perm())
		}
	}
	if err := trustedDir(filepath.Dir(path), "the store "+filepath.Base(path)); err != nil {
		return h, err
	}
	if err := companions(path, ourCompanion); err != nil {
		return h, err
	}
	if !there {
		return header{empty: true}, orphaned(path)
	}
	if h, err = readHeader(path); err != nil {
		return h, err
	}
	if h.empty {
		return h, orphaned(path)
	}
	if newest := int64(len(migrations())); h.version > newest {
		return h, tooNew(path, h.version, newest)
	}
	return h, nil
}
