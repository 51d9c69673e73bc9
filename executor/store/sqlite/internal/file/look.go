package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
)

// Probe fails if there is a file at the path of a store that is not a store. It makes
// and changes nothing. If there is no file, the header is empty.
func Probe(path string) (h header, err error) {
	there, err := disk.RequireOwned(path)
	if err != nil {
		return h, err
	}
	if !there {
		return header{Empty: true}, refuseOrphanedWAL(path)
	}
	if h, err = ReadHeader(path); err != nil {
		return h, err
	}
	if h.Empty {
		return h, refuseOrphanedWAL(path)
	}
	if newest := int64(len(Migrations())); h.Version > newest {
		return h, TooNew(path, h.Version, newest)
	}
	return h, nil
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
