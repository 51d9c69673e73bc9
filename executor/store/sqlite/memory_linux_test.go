package sqlite

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor/store/sqlite/inspect"
)

// TestNoMemory: that SQLite's memory cannot be reserved is an error, also of
// what only looks into the file, and costs nothing.
func TestNoMemory(t *testing.T) {
	path := t.TempDir() + "/tasks.db"
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	const want = "reserve memory for SQLite: cannot allocate memory; raise the limit on the address space (ulimit -v)"

	restore := limitMemory(t, 100<<20)
	_, openErr := Open(t.Context(), Options{Path: path})
	_, infoErr := inspect.Inspect(t.Context(), path)
	restore()

	require.ErrorContains(t, openErr, want)
	require.ErrorContains(t, infoErr, want)
	s, err = Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// limitMemory leaves this process so many bytes of addresses, until restore.
func limitMemory(t *testing.T, more uint64) (restore func()) {
	var pages, resident uint64
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	_, err = fmt.Sscan(string(text), &pages, &resident)
	require.NoError(t, err)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_AS, &limit))
	low := unix.Rlimit{Cur: pages*uint64(os.Getpagesize()) + more, Max: limit.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_AS, &low))
	return func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_AS, &limit)) }
}
