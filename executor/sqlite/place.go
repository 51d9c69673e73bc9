package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// place makes the directory, and answers the path with no symbolic link in it,
// so that all names of a file are one store.
func place(path string) (string, error) {
	if err := mistaken(path); err != nil {
		return "", err
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := dangling(path); err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory of the store: %w", err)
	}
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		return real, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find the store %s: %w", path, err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// mistaken refuses what can be no path, and what means something else where it
// is usual: here it would make a file of that name.
func mistaken(path string) error {
	first, _, more := strings.Cut(filepath.ToSlash(path), "/")
	switch {
	case path == "":
		return errors.New("a store needs the path of a file")
	case strings.ContainsRune(path, 0):
		return fmt.Errorf("the path %q has a NUL byte", path)
	case path == ":memory:":
		return fmt.Errorf("the path %q is not a file: name no store to keep tasks in memory, or ./%[1]s for a file of that name", path)
	case strings.HasPrefix(path, "file:"):
		return fmt.Errorf("the path %q is a URI: name the file alone, or ./%[1]s for a file of that name", path)
	case strings.HasPrefix(path, "~") && (more || path == "~"):
		return fmt.Errorf("the path %q begins with %s, which only a shell makes a directory of, and not within quotes: write the directory out, or ./%[1]s if that is its name", path, first)
	}
	return nil
}

// dangling refuses a symbolic link that leads nowhere: while it does, it is
// not known which file would be the store.
func dangling(path string) error {
	target, err := os.Readlink(path)
	if err != nil {
		return nil
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the store %s is a symbolic link to %s, which is not there: name that file itself to make a store of it, or remove the link", path, target)
	}
	return nil
}

// look refuses what is at the path of a store and is none. It makes and changes
// nothing. Where there is no file, it is empty.
func look(path string) (h header, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return header{empty: true}, orphaned(path)
	}
	if err != nil {
		return h, err
	}
	if err := regular(path, info); err != nil {
		return h, err
	}
	if writableByOthers(info) {
		return h, fmt.Errorf("the store %s can be written by other users: its mode is %#o; chmod 600 it", path, info.Mode().Perm())
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

// regular refuses what is no file, by its kind.
func regular(path string, info fs.FileInfo) error {
	kind := "special file"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "pipe"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	case mode&fs.ModeDevice != 0:
		kind = "device"
	}
	return fmt.Errorf("the store %s is a %s; name a file", path, kind)
}

// makeFiles makes what SQLite would make with a mode that lets others read.
func makeFiles(path string) error {
	if err := narrow(path); err != nil {
		return err
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		f, err := os.OpenFile(path+suffix, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// narrow gives an empty file that is there already the mode of one that is
// made, before anything is in it.
func narrow(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() == 0 && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(path, 0o600)
	}
	return err
}
