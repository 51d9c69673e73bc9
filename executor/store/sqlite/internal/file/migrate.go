package file

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
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

// Version is the newest version of a file.
func Version() int64 { return int64(len(migrations())) }

// Migrate brings a file to the newest version. If the file already has tasks, it makes
// a backup first.
func Migrate(c *Conn, path string) error {
	steps := migrations()
	version, err := c.Number("PRAGMA user_version")
	if err != nil {
		return err
	}
	switch newest := int64(len(steps)); {
	case version > newest:
		return tooNew(path, version)
	case version == newest:
		return nil
	case version == 0:
		tables, err := c.Number("SELECT count(*) FROM sqlite_schema")
		if err == nil && tables > 0 {
			err = fmt.Errorf("%s is an SQLite file of another program: it has tables and no version; name another file", path)
		}
		if err != nil {
			return err
		}
	default:
		backup := fmt.Sprintf("%s.version-%d", path, version)
		if err := keepVersion(c, backup); err != nil {
			return fmt.Errorf("back up to %s before the file is migrated: %w", backup, noRoom(c, path, err))
		}
	}
	for n := version; n < int64(len(steps)); n++ {
		if err := upgrade(c, steps[n], n+1); err != nil {
			return fmt.Errorf("migrate %s from version %d to %d: %w", path, n, n+1, noRoom(c, path, err))
		}
	}
	if version == 0 { // free what a later step removed of an earlier one
		if err := c.Exec("PRAGMA incremental_vacuum"); err != nil {
			return err
		}
	}
	return c.RestartWALUnlessRead() // so that the header of the file has the version
}

// LeastFree is with how much room a disk counts as full.
const LeastFree = 1 << 20

// noRoom says of an error that the disk is full, where it is, and how much room a copy of the
// file needs: a copy that failed is removed, so there may be some again.
func noRoom(c *Conn, path string, err error) error {
	if !errors.Is(err, sqlite3.FULL) && !errors.Is(err, sqlite3.IOERR) {
		return err
	}
	pages, e := c.Number("PRAGMA page_count")
	if e != nil {
		return err
	}
	size, e := c.Number("PRAGMA page_size")
	if e != nil {
		return err
	}
	free, e := disk.FreeBytes(filepath.Dir(path))
	if need := pages * size; e == nil && free < need+LeastFree {
		return fmt.Errorf("the disk is full: a copy of %s needs %d bytes, and %d are free: %w", path, need, free, err)
	}
	return err
}

// VacuumInto writes a whole copy of the file, which must not be there yet.
func VacuumInto(c *Conn, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := c.Run("VACUUM INTO ?", path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// keepVersion makes a copy of a file before its migration. A process that died during
// a migration may have left such a copy. It is of the same version, and is replaced.
func keepVersion(c *Conn, backup string) error {
	part := backup + disk.PartSuffix
	err := disk.RemoveIfExists(part)
	if err == nil {
		err = VacuumInto(c, part)
	}
	if err == nil {
		err = disk.SyncFile(part)
	}
	if err == nil {
		err = os.Rename(part, backup)
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(backup))
	}
	return err
}

// upgrade does one step.
func upgrade(c *Conn, sql string, version int64) error {
	text := fmt.Sprintf("BEGIN IMMEDIATE; %s; PRAGMA application_id=%d; PRAGMA user_version=%d", sql, applicationID, version)
	err := c.Exec(text)
	if err == nil {
		switch version {
		case 1:
			err = WriteState(c, &State{})
		case 3:
			err = openFromActive(c)
		}
	}
	if err == nil {
		err = c.Exec("COMMIT")
	}
	if err != nil && !c.GetAutocommit() {
		err = errors.Join(err, c.Exec("ROLLBACK"))
	}
	return err
}

// openFromActive notes which tasks are not final where version 2 has a row in active for
// each: rows of tasks that only wait are removed. One that is damaged stays, and keeps its
// task from being run.
func openFromActive(c *Conn) error {
	o := new(Open)
	changes := o.Change()
	var waiting []int64
	err := c.Query("SELECT ord, attempt, started, cancelled, reason, sum FROM active", func(row *sqlite3.Stmt) error {
		ord := row.ColumnInt64(0)
		changes.Add(ord)
		if a, err := ReadActive(row, 0); err == nil && a == (Active{}) {
			waiting = append(waiting, ord)
		} else {
			changes.SetStarted(ord, true)
		}
		return nil
	})
	for _, ord := range waiting {
		if err == nil {
			err = c.Run("DELETE FROM active WHERE ord=?", ord)
		}
	}
	if err == nil {
		err = changes.Write(c)
	}
	return err
}

// CheckTables refuses a file whose tables are not those of its version.
func CheckTables(c *Conn, path string, version int64) error {
	fresh, err := Dial(":memory:", sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE)
	if err != nil {
		return err
	}
	defer fresh.Close()
	for n, sql := range migrations()[:version] {
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
		return fmt.Errorf("%s is damaged: its tables are not those of a jobline store of version %d; put a backup in its place", path, version)
	}
	return nil
}

// tables is the text of all that defines the file.
func (c *Conn) tables() (string, error) {
	var all strings.Builder
	err := c.Query("SELECT type, name, sql FROM sqlite_schema ORDER BY name", func(row *sqlite3.Stmt) error {
		fmt.Fprintf(&all, "%s %s %s\n", row.ColumnText(0), row.ColumnText(1), row.ColumnText(2))
		return nil
	})
	return all.String(), err
}
