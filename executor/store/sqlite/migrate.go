package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations are the steps from an empty file to the newest version, in order:
// the version of a file is how many of them it has had.
func migrations() []string {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	steps := make([]string, len(names))
	for i, name := range names { // sorted, as Glob answers
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			panic(err) // it is in the program
		}
		steps[i] = string(text)
	}
	return steps
}

// header is what the first page of a file says of it.
type header struct {
	version int64
	empty   bool
}

// headerSize is how much of the first page is looked at.
const headerSize = 100

// readHeader looks at a file without SQLite, so that one that is not ours is
// not touched.
func readHeader(path string) (h header, err error) {
	f, err := openToRead(path)
	if err != nil {
		return h, err
	}
	defer f.Close()
	var b [headerSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return h, err
	}
	if n == 0 {
		return header{empty: true}, nil
	}
	const magic = "SQLite format 3\x00"
	if n < headerSize || string(b[:len(magic)]) != magic {
		return h, fmt.Errorf("%s is not a jobline store: it does not begin as an SQLite file does, or is cut; name another file, or put a backup in its place", path)
	}
	number := func(at int) int64 {
		return int64(b[at])<<24 | int64(b[at+1])<<16 | int64(b[at+2])<<8 | int64(b[at+3])
	}
	h.version = number(60)
	// One page is what a process leaves that died before it made the tables.
	if id, pages := number(68), number(28); id != applicationID && (id != 0 || h.version != 0 || pages > 1) {
		return h, fmt.Errorf("%s is an SQLite file of another program: its application_id is %#x, a jobline store has %#x; name another file", path, id, applicationID)
	}
	return h, nil
}

// tooNew refuses the file of a later program.
func tooNew(path string, version, known int64) error {
	return fmt.Errorf("%s was written by a newer jobline: its version is %d, this program knows up to %d; it was not touched. Use the newer program", path, version, known)
}

// migrate brings a file to the newest version, after a backup where it has
// tasks already.
func migrate(c *conn, path string, steps []string) error {
	version, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch newest := int64(len(steps)); {
	case version > newest:
		return tooNew(path, version, newest)
	case version == newest:
		return nil
	case version == 0:
		tables, err := c.number("SELECT count(*) FROM sqlite_schema")
		if err == nil && tables > 0 {
			err = fmt.Errorf("%s is an SQLite file of another program: it has tables and no version; name another file", path)
		}
		if err != nil {
			return err
		}
	default:
		backup := fmt.Sprintf("%s.version-%d", path, version)
		if err := keepVersion(c, backup); err != nil {
			return fmt.Errorf("back up to %s before the file is migrated: %w", backup, err)
		}
	}
	for n := version; n < int64(len(steps)); n++ {
		if err := upgrade(c, steps[n], n+1); err != nil {
			return fmt.Errorf("migrate %s from version %d to %d: %w", path, n, n+1, err)
		}
	}
	return c.restartUnlessRead() // for the header to say the version
}

// keepVersion makes a copy of a file that is to be migrated. One that a process has
// left that died meanwhile is of the same version, and is replaced.
func keepVersion(c *conn, backup string) error {
	part := backup + partSuffix
	err := remove(part)
	if err == nil {
		err = backupInto(c, part)
	}
	if err == nil {
		err = syncFile(part)
	}
	if err == nil {
		err = os.Rename(part, backup)
	}
	if err == nil {
		err = syncDir(filepath.Dir(backup))
	}
	return err
}

// upgrade does one step.
func upgrade(c *conn, sql string, version int64) error {
	text := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id=%d; PRAGMA user_version=%d", sql, applicationID, version)
	err := c.Exec(text)
	if err == nil && version == 1 {
		err = writeState(c, &state{})
	}
	if err == nil {
		err = c.Exec("COMMIT")
	}
	if err != nil && !c.GetAutocommit() {
		err = errors.Join(err, c.Exec("ROLLBACK"))
	}
	return err
}

// backupInto writes a whole copy of the file, which must not be there yet.
func backupInto(c *conn, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := c.exec("VACUUM INTO ?", path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// checkTables refuses a file whose tables are not what this program made.
func checkTables(c *conn, path string, steps []string) error {
	fresh, err := dial(":memory:", sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return err
	}
	defer fresh.close()
	for n, sql := range steps {
		if err := upgrade(fresh, sql, int64(n+1)); err != nil {
			return err
		}
	}
	want, err := fresh.tables()
	if err != nil {
		return err
	}
	have, err := c.tables()
	if err != nil {
		return err
	}
	if have != want {
		return fmt.Errorf("%s is damaged: its tables are not those of a jobline store of version %d; put a backup in its place", path, len(steps))
	}
	return nil
}

// tables is the text of all that defines the file.
func (c *conn) tables() (string, error) {
	var all strings.Builder
	err := c.query("SELECT type, name, sql FROM sqlite_schema ORDER BY name", func(row *sqlite3.Stmt) error {
		fmt.Fprintf(&all, "%s %s %s\n", row.ColumnText(0), row.ColumnText(1), row.ColumnText(2))
		return nil
	})
	return all.String(), err
}
