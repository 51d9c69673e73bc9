package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// TestALookKeepsNobodyOut takes the lock while another process looks who has it.
func TestALookKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		looks, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
		require.NoError(t, err)
		defer looks.Close()
		free, err := tryLock(looks, false)
		require.NoError(t, err)
		require.True(t, free)
		time.AfterFunc(nameWait/2, func() { _ = unlock(looks) })
		lock, err := TakeLock(path)
		synctest.Wait()
		require.NoError(t, err)
		require.NoError(t, lock.Release())
	})
}

// TestTheLastHolderIsNotNamed has a process take the lock of one that was killed, and be slow
// to say who it is. Where it never does, for it has other process numbers, the name counts.
func TestTheLastHolderIsNotNamed(t *testing.T) {
	const dead = "process 2147483647 (dead)"
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		require.NoError(t, os.WriteFile(path+".lock", []byte(dead), 0o600))
		holds, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
		require.NoError(t, err)
		defer holds.Close()
		free, err := tryLock(holds, true)
		require.NoError(t, err)
		require.True(t, free)
		said, err := HolderOf(path)
		require.NoError(t, err)
		require.Equal(t, dead, said)
		time.AfterFunc(5*nameWait, func() { _ = sayWho(holds, "") })
		said, err = HolderOf(path)
		synctest.Wait()
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("process %d (%s)", os.Getpid(), filepath.Base(os.Args[0])), said)
	})
}

// Who waits for a lock whose file the holder removes gets the lock of a file that others find.
func TestALockIsOfTheFileWithItsName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tasks.db")
		first, err := TakeLock(path)
		require.NoError(t, err)
		time.AfterFunc(nameWait/2, func() { _ = errors.Join(os.Remove(first.Name()), first.Release()) })
		second, err := TakeLockTo(path, ", which waits")
		require.NoError(t, err)
		moved, err := second.Moved()
		require.NoError(t, err)
		require.False(t, moved)
		holder, err := HolderOf(path)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("process %d (%s), which waits", os.Getpid(), filepath.Base(os.Args[0])), holder)
		require.NoError(t, second.Release())
	})
}
