package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// Backup writes a whole copy of a store, held or not, into a new file that can
// be served at once. It is of one moment. The event numbers that it has
// reserved are above all that were given out until then, so that who goes on
// with the copy gives out none twice.
//
// dest is there only when the copy is whole, on the disk and checked. Findings
// of the check are reported: where a store that is damaged can be copied, the
// copy is damaged, too, and is kept. Where it cannot, nothing is left of it.
func Backup(ctx context.Context, path, dest string, report func(Finding)) error {
	to, err := newFile(dest)
	if err != nil {
		return err
	}
	in, err := openInspection(ctx, path)
	if err != nil {
		return file.ExplainCorruption(path, err, file.AdviceInspect)
	}
	part := to + disk.PartSuffix
	err = file.VacuumInto(in.conn, part)
	if errors.Is(err, os.ErrExist) {
		_ = in.close() // nothing was read
		return fmt.Errorf("%s exists: another backup is writing it, or was killed; remove it in that case", part)
	}
	copied, doing := err == nil, fmt.Sprintf("back up %s to %s", path, dest)
	if err = in.end(err, doing, file.AdviceInspect); err != nil {
		if copied {
			err = errors.Join(err, os.Remove(part))
		}
		err = errors.Join(err, disk.RemoveIfExists(part+"-journal"))
		return err
	}
	if err = settle(ctx, part, to, report); err != nil {
		return fmt.Errorf("%s: %w", doing, errors.Join(err, disk.RemoveIfExists(part)))
	}
	return nil
}

// newFile is the path of a copy that is to be made, with no symbolic link in it.
// Nobody else can put a file of theirs in its place.
func newFile(dest string) (string, error) {
	if err := vacant(dest); err != nil {
		return "", err
	}
	path, err := disk.ResolveDirectory(dest)
	if err == nil {
		err = disk.TrustedDir(filepath.Dir(path), "the copy "+filepath.Base(path))
	}
	return path, err
}

// vacant refuses a name that is taken. A log that is left of another store
// would become a part of the copy.
func vacant(dest string) error {
	for _, suffix := range []string{"", "-wal", "-journal"} {
		if _, err := os.Lstat(dest + suffix); err == nil {
			return fmt.Errorf("%s exists, and a backup replaces nothing; name another file", dest+suffix)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// settle gives a copy its name when all of it is on the disk and was checked.
func settle(ctx context.Context, part, dest string, report func(Finding)) error {
	if err := disk.SyncFile(part); err != nil {
		return err
	}
	if err := Check(ctx, part, report); err != nil {
		return err
	}
	if err := vacant(dest); err != nil {
		return err
	}
	if err := os.Rename(part, dest); err != nil {
		return err
	}
	return disk.SyncDir(filepath.Dir(dest))
}
