package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMigrationOnAFullDisk has a file of an older version on a disk that is too small: for its
// backup, or for its first step, which is in the write-ahead log until it is whole. The file
// stays as it was, and is migrated when there is room.
func TestMigrationOnAFullDisk(t *testing.T) {
	for name, test := range map[string]struct {
		room func(size int) int // that is free beside the file
		says string
	}{
		"no room for the backup": {func(size int) int { return size * 4 / 5 }, "back up to "},
		"no room for a step":     {func(size int) int { return size + indexSize + 4*4096 }, "migrate "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
				t.Skipf("a file system cannot be mounted here, which needs root and CAP_SYS_ADMIN: %v", err)
			}
			t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
			was, err := os.ReadFile(oldFile(t, 2))
			require.NoError(t, err)
			path, filler := filepath.Join(dir, "tasks.db"), filepath.Join(dir, "filler")
			require.NoError(t, os.WriteFile(path, was, 0o600))
			require.NoError(t, os.WriteFile(filler, make([]byte, 1<<20-len(was)-test.room(len(was))), 0o600))
			_, err = Open(t.Context(), Options{Path: path})
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, err, "the disk is full: a copy of "+path+fmt.Sprintf(" needs %d bytes", len(was)))
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, was, now)
			require.NoError(t, os.Remove(filler))
			s, err := Open(t.Context(), Options{Path: path})
			require.NoError(t, err)
			require.NoError(t, s.Close())
		})
	}
}

// indexSize is the size of the index of a write-ahead log.
const indexSize = 32 << 10
