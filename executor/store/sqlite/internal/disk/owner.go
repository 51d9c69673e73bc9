package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The files of a store beside the file itself, by what is appended to its name.
const (
	walSuffix     = "-wal"
	indexSuffix   = "-shm"
	journalSuffix = "-journal" // SQLite's, until the file has a write-ahead log
	lockSuffix    = ".lock"
)

// TrustedDir refuses a directory in which another user could replace the files of the
// store. That is one that belongs to neither this user nor root, or one that others may
// write to and that is not sticky. In a sticky one, such as /tmp, only the owner of a
// file can move it or remove it.
func TrustedDir(dir, what string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	const cure = "name a file in a directory of its own, which is made where it is not there"
	switch owner, known := ownerOf(info); {
	case !known:
		return nil
	case !owner.trusted():
		return fmt.Errorf("%s cannot be in the directory %s: it belongs to %v, and this program runs as %v; %s", what, dir, owner, self(), cure)
	case writableByOthers(info) && info.Mode()&fs.ModeSticky == 0 && !privateGroup(info):
		return fmt.Errorf("%s cannot be in the directory %s: its mode is %#o, so other users can replace what is in it; %s, or chmod go-w this one", what, dir, info.Mode().Perm(), cure)
	}
	return nil
}

// trustedLink refuses a symbolic link that another user has put in the place of
// a store.
func trustedLink(path string, info fs.FileInfo) error {
	if owner, known := ownerOf(info); known && !owner.trusted() {
		return fmt.Errorf("the store %s is a symbolic link of %v, and this program runs as %v; name the file to which it leads", path, owner, self())
	}
	return nil
}

// requireOwned refuses anything but a file that belongs to this user alone. In the
// error, what says which file it is, and cure says what to do about it.
func requireOwned(path string, info fs.FileInfo, what, cure string) error {
	if err := requireRegular(path, info, what, cure); err != nil {
		return err
	}
	owner, known := ownerOf(info)
	switch {
	case !known:
		return nil
	case !owner.self():
		return fmt.Errorf("%s %s belongs to %v, and this program runs as %v; run it as the owner, chown it if you trust what is in it, %s", what, path, owner, self(), cure)
	case linksTo(info) > 1:
		return fmt.Errorf("%s %s has %d names (hard links), and two servers could have it at once; remove the others, %s", what, path, linksTo(info), cure)
	}
	return nil
}

// requireRegular refuses anything but a regular file.
func requireRegular(path string, info fs.FileInfo, what, cure string) error {
	kind := "special file"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "directory"
	case mode&fs.ModeSymlink != 0:
		kind = "symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		kind = "pipe"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	case mode&fs.ModeDevice != 0:
		kind = "device"
	}
	return fmt.Errorf("%s %s is a %s; %s", what, path, kind, strings.TrimPrefix(cure, "or "))
}

// What errors call the file and those beside it, and what to do about one that
// is not ours.
const (
	theStore = "the store"
	nameFile = "or name another file"
	aPart    = "the store's file"
	orRemove = "or remove it where no server needs it"
)

// eachCompanion looks at each file beside the store that is there.
func eachCompanion(path string, look func(name string, info fs.FileInfo) error) error {
	for _, suffix := range []string{walSuffix, indexSuffix, journalSuffix, lockSuffix} {
		info, err := os.Lstat(path + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = look(path+suffix, info)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// requireOwnedCompanion refuses a file beside the store that another user has made, or
// that others could write: a server makes it with mode 0600.
func requireOwnedCompanion(path string, info fs.FileInfo) error {
	err := requireOwned(path, info, aPart, orRemove)
	if err == nil && writableByOthers(info) {
		err = fmt.Errorf("%s %s can be written by other users: its mode is %#o; chmod 600 it if you trust what is in it, %s", aPart, path, info.Mode().Perm(), orRemove)
	}
	return err
}

// requireSameOwner is for a store that is read and not held. It refuses a file beside
// the store that is not a regular file, or that belongs to neither the owner of the
// store nor a trusted user, such as the user of this program.
func requireSameOwner(store fs.FileInfo) func(string, fs.FileInfo) error {
	return func(path string, info fs.FileInfo) error {
		if err := requireRegular(path, info, aPart, orRemove); err != nil {
			return err
		}
		of, known := ownerOf(store)
		if owner, _ := ownerOf(info); known && owner != of && !owner.trusted() {
			return fmt.Errorf("%s %s belongs to %v, and the store to %v; have the owner remove it if no server needs it", aPart, path, owner, of)
		}
		return nil
	}
}

// RequireOwned refuses the path of a store in which another user has a hand: its directory, its
// file or one beside it. It makes and changes nothing, and reports whether there is a file.
func RequireOwned(path string) (there bool, err error) {
	info, err := os.Lstat(path)
	there = !errors.Is(err, fs.ErrNotExist)
	if err != nil && there {
		return there, err
	}
	if there {
		if err := requireOwned(path, info, theStore, nameFile); err != nil {
			return there, err
		}
		if writableByOthers(info) {
			return there, fmt.Errorf("the store %s can be written by other users: its mode is %#o; chmod 600 it if you trust what is in it", path, info.Mode().Perm())
		}
	}
	if err := TrustedDir(filepath.Dir(path), "the store "+filepath.Base(path)); err != nil {
		return there, err
	}
	return there, eachCompanion(path, requireOwnedCompanion)
}

// RequireReadable refuses anything but a store that can be read without being held: a regular
// file, beside which there are only files of its owner and of trusted users. name is the path
// as the user wrote it.
func RequireReadable(name, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if err := requireRegular(name, info, theStore, nameFile); err != nil {
		return err
	}
	return eachCompanion(path, requireSameOwner(info))
}

// Handle is a file that is open.
type Handle interface {
	Stat() (fs.FileInfo, error)
	chmoder
}

// TakeOwned refuses a file beside the store that is not this user's alone, and lets only
// this user read and write it.
func TakeOwned(f Handle, path string) error {
	info, err := f.Stat()
	if err == nil {
		err = requireOwned(path, info, aPart, orRemove)
	}
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = narrow(f)
	}
	return err
}

// openOwned opens a file of the store, and makes it where it is not there, with
// mode 0600. It follows no symbolic link and does not wait for the other end of
// a pipe.
func openOwned(path, what, cure string) (*os.File, fs.FileInfo, error) {
	f, info, err := openPlain(path, os.O_RDWR|os.O_CREATE, what, cure)
	if err != nil {
		return nil, nil, err
	}
	if err = requireOwned(path, info, what, cure); err == nil && info.Mode().Perm()&0o077 != 0 {
		err = narrow(f)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// chmoder is a file that is open.
type chmoder interface{ Chmod(mode fs.FileMode) error }

// OpenToRead opens a file to read it, which may be another user's.
func OpenToRead(path string) (*os.File, error) {
	f, _, err := openPlain(path, os.O_RDONLY, theStore, nameFile)
	return f, err
}

// openPlain opens a regular file and nothing else.
func openPlain(path string, flag int, what, cure string) (*os.File, fs.FileInfo, error) {
	if info, err := os.Lstat(path); err == nil { // to open a device can do something
		if err := requireRegular(path, info, what, cure); err != nil {
			return nil, nil, err
		}
	}
	f, err := os.OpenFile(path, flag|asItIs, 0o600)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = requireRegular(path, info, what, cure)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, info, nil
}

// CreateFiles makes the files of the store, so that SQLite makes none with a mode
// of its own, and answers what the file itself is.
func CreateFiles(path string) (opened fs.FileInfo, err error) {
	for _, suffix := range []string{"", walSuffix, indexSuffix} {
		what, cure := theStore, nameFile
		if suffix != "" {
			what, cure = aPart, orRemove
		}
		f, info, err := openOwned(path+suffix, what, cure)
		if err != nil {
			return nil, err
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
		if suffix == "" {
			opened = info
		}
	}
	return opened, nil
}
