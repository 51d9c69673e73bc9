package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/stdio"
)

// mount makes a small file system for a test, where that is allowed.
func mount(t *testing.T, flags uintptr, options string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options)
	if err != nil {
		t.Skipf("a file system cannot be mounted here, which needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	return dir
}

// fillDisk writes a file until there is no room for another byte.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	piece := make([]byte, 4096)
	for len(piece) > 0 {
		if _, err = f.Write(piece); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			piece = piece[:len(piece)/2]
		}
	}
}

// waiting is a command that runs until somebody writes to a pipe.
func waiting(t *testing.T, id uuid.UUID, pipe string) string {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","id":"%s","events":["started","finished"],`+
		`"input":{"argv":["sh","-c","read word <'%s'; echo $word"]}}}`, id, pipe)
}

// TestFullDisk fills the disk under a server: it says so, what runs goes on
// and can be stopped, and with room again all is as before.
func TestFullDisk(t *testing.T) {
	dir, pipes := mount(t, 0, "size=1m"), t.TempDir()
	store, filler := filepath.Join(dir, "tasks.db"), filepath.Join(dir, "filler")
	p := start(t, "serve", "--limit=4", "--store", store)
	ends, stopped := uuid.New(), uuid.New()
	for i, id := range []uuid.UUID{ends, stopped} {
		fmt.Fprintln(p.in, waiting(t, id, filepath.Join(pipes, fmt.Sprint(i))))
		p.until(t, "task/started")
	}
	fillDisk(t, filler)
	refusedAt := -1
	for n := 0; refusedAt < 0; n++ { // there is some room left in the write-ahead log
		require.Less(t, n, 1000)
		fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":2,"method":"submit","params":{"type":"noop","events":[],"labels":{"n":"%d"}}}`+"\n", n)
		if reply := p.until(t, `"id":2`); strings.Contains(reply, `"error"`) {
			require.Contains(t, reply, `"storeUnavailable"`)
			refusedAt = n
		}
	}
	fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":3,"method":"status","params":{"id":"%s"}}`+"\n", ends)
	require.Contains(t, p.until(t, `"id":3`), `"state":"running"`)
	fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":4,"method":"cancel","params":{"id":"%s"}}`+"\n", stopped)
	require.Contains(t, p.until(t, `"id":4`), `"outcome":"cancelling"`)
	require.NoError(t, os.WriteFile(filepath.Join(pipes, "0"), []byte("word\n"), 0))

	require.NoError(t, os.Remove(filler))
	told := ""
	for strings.Count(told, "task/finished") < 2 {
		told += p.until(t, "task/finished")
	}
	require.Contains(t, told, `"state":"completed"`)
	require.Contains(t, told, `"state":"cancelled"`)
	fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":5,"method":"submit","params":{"type":"noop","events":["finished"]}}`)
	p.until(t, "task/finished")
	require.NoError(t, p.in.Close())
	_, code := p.exit(t)
	require.Zero(t, code)

	stdout, stderr, code := serves(t, store, `{"jsonrpc":"2.0","id":1,"method":"list","params":{"limit":1000}}`)
	require.Zero(t, code, stderr)
	require.Equal(t, refusedAt+3, strings.Count(stdout, `"type":`), "what was accepted and nothing else")
	require.Equal(t, refusedAt+2, strings.Count(stdout, `"state":"completed"`))
}

// TestFullDiskAtTheEnd ends a server by a signal whose disk is full: the end of
// a task cannot be written, and the exit code says so.
func TestFullDiskAtTheEnd(t *testing.T) {
	dir := mount(t, 0, "size=2m")
	p := start(t, "serve", "--store", filepath.Join(dir, "tasks.db"), "--log-level=error")
	fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","events":["output"],`+
		`"input":{"argv":["sh","-c","head -c 900000 /dev/urandom; echo all >&2; sleep 86400"]}}}`)
	p.until(t, `"data":"all\n"`)
	fillDisk(t, filepath.Join(dir, "filler"))
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	_, code := p.exit(t)
	require.Equal(t, stdio.ExitFault, code)
	require.Contains(t, p.stderr.String(), "close the store")
}

// TestReadOnlyDisk names a store where nothing can be written.
func TestReadOnlyDisk(t *testing.T) {
	dir := mount(t, syscall.MS_RDONLY, "")
	stdout, stderr, code := serves(t, filepath.Join(dir, "deep", "tasks.db"), "")
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.Contains(t, stderr, syscall.EROFS.Error())
}
