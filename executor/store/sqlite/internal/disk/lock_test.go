package disk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheLockSaysWhoHasIt takes the lock by two handles, as two processes do.
func TestTheLockSaysWhoHasIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	said, err := HolderOf(path)
	require.NoError(t, err)
	require.Empty(t, said)
	require.NoFileExists(t, path+".lock")
	require.NoError(t, os.WriteFile(path+".lock", []byte(strings.Repeat("of the last one ", 100)), 0o600))

	self := fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0]))
	for range 2 {
		lock, err := TakeLock(path)
		require.NoError(t, err)
		for range 2 {
			said, err = HolderOf(path)
			require.NoError(t, err)
			require.Equal(t, self, said)
			_, err = TakeLock(path)
			var held *HeldError
			require.ErrorAs(t, err, &held)
			require.Equal(t, self, held.Holder)
		}
		require.NoError(t, lock.Release())
		said, err = HolderOf(path)
		require.NoError(t, err)
		require.Empty(t, said)
	}
}
