package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// PreparePath makes the directory of a store, and answers the path with no symbolic
// link in it, so that all names of a file are one store.
func PreparePath(path string, sync func(dir string) error) (string, error) {
	if err := mistaken(path); err != nil {
		return "", err
	}
	dir, _, err := split(path)
	if err != nil {
		return "", err
	}
	if err := makeDir(dir, sync); err != nil {
		return "", fmt.Errorf("make the directory of the store: %w", err)
	}
	return ResolvePath(path)
}

// makeDir makes a directory where it is not there, with those above it, and puts
// their names on the disk by sync.
func makeDir(dir string, sync func(string) error) error {
	for len(dir) > 1 && os.IsPathSeparator(dir[len(dir)-1]) {
		dir = dir[:len(dir)-1]
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err // that it is no directory is met later
	}
	above, _ := cut(dir)
	if err := makeDir(above, sync); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) { // as "..", too, is there now
		return err
	}
	return sync(above)
}

// ResolvePath is PreparePath for a file that is only looked for: it makes no directory.
func ResolvePath(path string) (string, error) {
	found, err := ResolveDirectory(path)
	if err != nil {
		return "", fmt.Errorf("find the store %s: %w", path, err)
	}
	return follow(path, found)
}

// ResolveDirectory resolves the directory of a path, and not the name in it.
func ResolveDirectory(path string) (string, error) {
	dir, base, err := split(path)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return filepath.Join(dir, base), err
}

// split divides the path of a file into its directory and its name there.
func split(path string) (dir, base string, err error) {
	path, err = absolute(path)
	if err != nil {
		return "", "", err
	}
	dir, base = cut(path)
	if base == "" || base == "." || base == ".." {
		return "", "", fmt.Errorf("the path %q is that of a directory; name a file", path)
	}
	return dir, base, nil
}

// cut divides a path at its last separator. It does not clean the directory, as
// filepath.Dir does: behind a symbolic link to a directory, ".." is the parent of
// where the link leads.
func cut(path string) (dir, base string) {
	end := len(path)
	for end > 0 && !os.IsPathSeparator(path[end-1]) {
		end--
	}
	return path[:end], path[end:]
}

// mostLinks is how many symbolic links lead to a file at most, as in the kernel.
const mostLinks = 40

// follow follows the symbolic links from a path to a file, whose directory has
// none. name is the path as the user wrote it.
func follow(name, path string) (string, error) {
	for range mostLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", fmt.Errorf("find the store %s: %w", name, err)
		}
		if err := trustedLink(path, info); err != nil {
			return "", err
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", fmt.Errorf("find the store %s: %w", name, err)
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // while it leads nowhere, it is not known which file would be the store
			return "", fmt.Errorf("the store %s is a symbolic link to %s, which is not there: name that file itself to make a store of it, or remove the link", name, target)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Dir(path) + string(filepath.Separator) + target
		}
		if path, err = ResolveDirectory(target); err != nil {
			return "", fmt.Errorf("find the store %s: %w", name, err)
		}
	}
	return "", fmt.Errorf("find the store %s: more than %d symbolic links lead from one to the next", name, mostLinks)
}

// mistaken refuses text that cannot be a path. It also refuses text that has a special
// meaning in other programs, because here it would make a file of that name.
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

// Moved reports whether a path no longer leads to the file it led to before.
func Moved(path string, was os.FileInfo) (bool, error) {
	now, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return err == nil && !os.SameFile(was, now), err
}
