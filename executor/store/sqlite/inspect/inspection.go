package inspect

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// Finding is something in a store that is not as it was written.
type Finding struct {
	// Number is the task's place in the file, and ID is its id. Both are zero if
	// the finding is not about one task. ID is also zero if it cannot be read.
	Number int64     `json:"number,omitzero"`
	ID     uuid.UUID `json:"id,omitzero"`
	Text   string    `json:"text"`
}

func (f Finding) String() string {
	switch {
	case f.Number == 0:
		return f.Text
	case f.ID == uuid.Nil:
		return fmt.Sprintf("task number %d: %s", f.Number, f.Text)
	}
	return fmt.Sprintf("task %s (number %d): %s", f.ID, f.Number, f.Text)
}

// inspection is a file that is read by a process that does not hold it.
type inspection struct {
	name    string // as the caller has it
	path    string // with no symbolic link in it
	version int64
	heldBy  string // "" is nobody
	conn    *file.Conn
	types   *file.Types
	before  [2]stamp
}

// openInspection opens a file to read it and nothing else. While a process holds the
// store, it is one more reader beside that one's. While nobody does, it reads
// the file and its log through readOnlyVFS, which cannot write: SQLite's own way
// would make the shared memory anew, and copy the log into the file and delete
// it at the end. A copy of the files would do as well, and need their room.
func openInspection(ctx context.Context, name string) (_ *inspection, err error) {
	in := &inspection{name: name, types: file.NewTypes()}
	if err := in.find(); err != nil {
		return nil, err
	}
	if err := in.open(ctx, file.Identify); err != nil {
		return nil, err
	}
	return in, nil
}

// open connects to a file that was found, and reads its version.
func (in *inspection) open(ctx context.Context, identify func(*file.Conn, string) (int64, error)) (err error) {
	if in.heldBy, err = disk.HolderOf(in.path); err != nil {
		return err
	}
	in.before = in.stamps()
	still := in.heldBy == "" || !in.shared()
	if in.conn, err = dialReadOnly(in.path, still); err != nil {
		err = fmt.Errorf("open %s: %w", in.name, err)
	} else {
		in.conn.SetInterrupt(ctx)
		if in.version, err = identify(in.conn, in.name); err != nil {
			err = errors.Join(err, in.conn.Close())
		}
	}
	if err == nil {
		return nil
	}
	if e := in.changed(); e != nil {
		err = e // it says nothing of the file
	}
	return err
}

// find refuses what is not a store by a look at its first page.
func (in *inspection) find() error {
	path, err := disk.ResolvePath(in.name)
	if err == nil {
		err = disk.RequireReadable(in.name, path)
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store %s; name the file that serve has as --store", in.name)
	}
	if err != nil {
		return err
	}
	in.path = path
	if empty, err := file.IsEmpty(path); err != nil {
		return err
	} else if empty {
		return fmt.Errorf("%s is not a jobline store: it is empty", in.name)
	}
	return nil
}

// shared reports whether there are the files that a holder shares with
// readers. A holder that opens or closes has them not yet, or no longer.
func (in *inspection) shared() bool {
	for _, suffix := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(in.path + suffix); err != nil {
			return false
		}
	}
	return true
}

func dialReadOnly(path string, still bool) (*file.Conn, error) {
	q := url.Values{}
	pragmas := []string{"cache_size=-8192"}
	if still {
		registerReadOnlyVFS()
		q.Set("vfs", readOnlyVFSName)
		// It keeps the index of the log in this process's memory.
		pragmas = append([]string{"locking_mode=EXCLUSIVE"}, pragmas...)
	}
	uri := &url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	c, err := file.Dial(uri.String(), sqlite3.OPEN_READONLY, pragmas...)
	if err != nil {
		return nil, err
	}
	// The holder may end first, and the last connection deletes the log where
	// the system lets it lock a file that it only reads.
	if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// snapshot makes all that is read from here on be of one moment.
func (in *inspection) snapshot() error {
	err := in.conn.Run("BEGIN")
	if err == nil {
		_, err = in.conn.Number("SELECT count(*) FROM store")
	}
	return err
}

// stamp is how a file looked.
type stamp struct {
	there bool
	size  int64
	time  time.Time
}

func (in *inspection) stamps() (now [2]stamp) {
	for i, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(in.path + suffix); err == nil {
			now[i] = stamp{true, info.Size(), info.ModTime()}
		}
	}
	return now
}

// end ends the inspection, and names the store in err and what was done with
// it. What was read of a file that was changed meanwhile says nothing of damage.
func (in *inspection) end(err error, doing, also string) error {
	if e := in.close(); e != nil {
		err = errors.Join(err, e)
	} else if _, damaged := file.Corruption(err); damaged {
		return file.ExplainCorruption(in.name, err, also)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// close ends the inspection.
func (in *inspection) close() error { return errors.Join(in.conn.Close(), in.changed()) }

// changed says whether a server has started meanwhile, which nothing keeps it
// from where nobody held the store: what was read while it changed the file
// means nothing.
func (in *inspection) changed() error {
	if in.heldBy == "" && in.stamps() != in.before {
		return fmt.Errorf("%s was changed while it was read, so what was read may be wrong: a server has started; run this again, beside it", in.name)
	}
	return nil
}
