package outboxfile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/outbox"
)

// smallDisk is a folder on a device of its own, and a file there that takes the rest of its room.
func smallDisk(t *testing.T) (dir string, fill func() (free func())) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a file system cannot be mounted here, which needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	filler := filepath.Join(dir, "filler")
	return dir, func() func() {
		f, err := os.Create(filler)
		require.NoError(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		return func() { require.NoError(t, os.Remove(filler)) }
	}
}

// fails writes until the disk is full, and answers the error and what was written.
func fails(t *testing.T, f *File, from int64) (entries []outbox.Entry, err error) {
	t.Helper()
	for n := from; err == nil; n++ {
		require.Less(t, n, from+1000)
		e := entry(n)
		if err = f.Write(outbox.Change{Add: []outbox.Entry{e}}); err == nil {
			entries = append(entries, e)
		}
	}
	return entries, err
}

// A full disk refuses a write, with the file and the cure. What is there is kept, is read at the next start on the full
// disk, too, and is written again when there is room.
func TestFullDisk(t *testing.T) {
	dir, fill := smallDisk(t)
	path := filepath.Join(dir, "outbox.db")
	f, _ := opens(t, path)
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{entry(1)}}))
	free := fill()
	want, err := fails(t, f, 2)
	require.ErrorIs(t, err, outbox.ErrNotWritten)
	require.ErrorContains(t, err, "no space on the device of "+path+": make room there, or name another --outbox")
	require.ErrorIs(t, f.Write(outbox.Change{}), outbox.ErrNotWritten)
	// A process that was killed leaves the file as it is.
	require.NoError(t, f.conn.Abandon())
	f.conn = nil
	require.NoError(t, f.Close())

	f, entries := opens(t, path)
	require.Equal(t, want, entries[1:])
	err = f.Write(outbox.Change{Add: []outbox.Entry{entry(1000), entry(1001), entry(1002)}})
	require.ErrorContains(t, err, "no space on the device of "+path)
	free()
	require.NoError(t, f.Write(outbox.Change{}))
	require.NoError(t, f.Write(outbox.Change{Remove: []int64{1}}))
	require.NoError(t, f.Close())
	f, entries = opens(t, path)
	require.Equal(t, want, entries)
	require.NoError(t, f.Close())
}

// A server may start on a disk that is full before it has a file.
func TestNewFileOnAFullDisk(t *testing.T) {
	dir, fill := smallDisk(t)
	path := filepath.Join(dir, "outbox.db")
	free := fill()
	f, entries := opens(t, path)
	require.Empty(t, entries)
	require.ErrorContains(t, f.Write(outbox.Change{Add: []outbox.Entry{entry(1)}}), "no space on the device of "+path)
	free()
	one := entry(2)
	require.NoError(t, f.Write(outbox.Change{Add: []outbox.Entry{one}}))
	require.NoError(t, f.Close())
	_, _, err := Open(t.Context(), path, "others")
	require.ErrorContains(t, err, `is for the namespace "jobs"`)
	f, entries = opens(t, path)
	require.Equal(t, []outbox.Entry{one}, entries)
	require.NoError(t, f.Close())
}
