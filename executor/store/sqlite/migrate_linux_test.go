package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMigrationOnAFullDisk has no room for the backup of a file of an older version.
func TestMigrationOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system cannot be mounted here, which needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	was, err := os.ReadFile(oldFile(t, 2))
	require.NoError(t, err)
	path, filler := filepath.Join(dir, "tasks.db"), filepath.Join(dir, "filler")
	require.NoError(t, os.WriteFile(path, was, 0o600))
	// What is left is enough to open the file, and not for a copy of it.
	require.NoError(t, os.WriteFile(filler, make([]byte, 1<<20-len(was)-len(was)*4/5), 0o600))
	_, err = Open(t.Context(), Options{Path: path})
	require.ErrorContains(t, err, "the disk is full: a copy of "+path+fmt.Sprintf(" needs %d bytes", len(was)))
	now, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, was, now)
	require.NoError(t, os.Remove(filler))
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}
