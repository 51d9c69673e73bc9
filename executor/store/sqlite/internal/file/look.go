package file

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// Probe fails if there is a file at the path of a store that is not a store. It makes
// and changes nothing. It reports whether there is nothing in the file, or no file.
func Probe(path string) (empty bool, err error) {
	there, err := disk.RequireOwned(path)
	if err != nil {
		return false, err
	}
	empty = !there
	if there {
		empty, err = IsEmpty(path)
	}
	if err == nil && empty {
		err = refuseOrphanedWAL(path)
	}
	if err == nil && !there {
		err = refuseUnfinishedCopy(path)
	}
	return empty, err
}

// refuseUnfinishedCopy refuses to make a store where a copy was begun that has not ended: who made the copy
// would take the empty store for it.
func refuseUnfinishedCopy(path string) error {
	part := path + disk.PartSuffix
	if _, err := os.Lstat(part); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return &UnfinishedCopyError{path, part}
}

// UnfinishedCopyError says that there is the beginning of a copy and no store.
type UnfinishedCopyError struct{ Path, Part string }

func (e *UnfinishedCopyError) Error() string {
	return fmt.Sprintf("there is no store %s, but %s, the beginning of a copy that has not ended; make the copy again, or remove that file", e.Path, e.Part)
}

// headerSize is how much of the first page is looked at.
const headerSize = 100

// IsEmpty reports whether there is nothing in a file. It fails if there is something that is not
// a store, or one of a newer version. It reads the first page without SQLite, so that a file that
// is not a store is not touched.
func IsEmpty(path string) (bool, error) {
	f, err := disk.OpenToRead(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var b [headerSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return false, err
	}
	if n == 0 {
		return true, nil
	}
	const magic = "SQLite format 3\x00"
	if n < headerSize || string(b[:len(magic)]) != magic {
		return false, fmt.Errorf("%s is not a jobline store: it does not begin as an SQLite file does, or is cut; name another file, or put a backup in its place", path)
	}
	number := func(at int) int64 { return int64(binary.BigEndian.Uint32(b[at:])) }
	pages, version, id := number(28), number(60), number(68)
	// A process that died before it made the tables leaves a file of one page.
	if id != applicationID && (id != 0 || version != 0 || pages > 1) {
		return false, fmt.Errorf("%s is an SQLite file of another program: its application_id is %#x, a jobline store has %#x; name another file", path, id, applicationID)
	}
	return false, tooNew(path, version)
}

// Identify reads the version of a file through a connection, which also sees what is in the
// write-ahead log. It fails as IsEmpty does. name is the path as the user wrote it.
func Identify(c *Conn, name string) (version int64, err error) {
	id, err := c.Number("PRAGMA application_id")
	if err == nil {
		version, err = c.Number("PRAGMA user_version")
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("read the store %s: %w", name, err)
	case id != applicationID || version == 0:
		return 0, fmt.Errorf("%s is not a jobline store: it has no tables of one", name)
	}
	return version, tooNew(name, version)
}

// tooNew refuses the file of a later program.
func tooNew(path string, version int64) error {
	if newest := Version(); version > newest {
		return fmt.Errorf("%s was written by a newer jobline: its version is %d, this program knows up to %d; it was not touched. Use the newer program", path, version, newest)
	}
	return nil
}

// refuseOrphanedWAL refuses to make a store beside the write-ahead log of a store whose
// file is missing, because SQLite would destroy the log.
func refuseOrphanedWAL(path string) error {
	log := path + "-wal"
	info, err := os.Stat(log)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("there is nothing in %s, but %s, the write-ahead log of a store, has %d bytes, in which there may be tasks; put the file of that store back, or remove the log", path, log, info.Size())
}
