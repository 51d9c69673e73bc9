//go:build unix

package sqlite

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

func TestWhatIsNoFileIsNamed(t *testing.T) {
	dir := t.TempDir()
	pipe, socket := filepath.Join(dir, "pipe"), filepath.Join(dir, "socket")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	for path, kind := range map[string]string{dir: "directory", pipe: "pipe", socket: "socket", "/dev/null": "device"} {
		says := path + " is a " + kind + "; name another file"
		require.ErrorContains(t, refused(t, path), says)
		require.ErrorContains(t, inspect.Check(t.Context(), path, nil), says)
	}
	require.NoFileExists(t, dir+".lock")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)
}

// A file that cannot be looked at is not in its place, and the system says why.
func TestAFileThatCannotBeLookedAt(t *testing.T) {
	whileIdle(t, func(t *testing.T, s *Store) { // the committer would take this for a loss
		dir := filepath.Dir(s.path)
		require.NoError(t, s.fileUnmoved())
		require.NoError(t, os.Rename(dir, dir+" aside"))
		require.NoError(t, os.WriteFile(dir, nil, 0o600))
		require.ErrorIs(t, s.fileUnmoved(), unix.ENOTDIR)
		require.NoError(t, os.Remove(dir))
		require.NoError(t, os.Rename(dir+" aside", dir))
	})
}
