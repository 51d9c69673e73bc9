package cmd

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// serves runs jobline with a store and requests, to its end.
func serves(t *testing.T, store, requests string) (stdout, stderr string, code int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "jobline", "serve", "--store", store)
	c.Stdin = strings.NewReader(requests)
	var out, logs bytes.Buffer
	c.Stdout, c.Stderr = &out, &logs
	if err := c.Run(); c.ProcessState == nil {
		require.NoError(t, err)
	}
	return out.String(), logs.String(), c.ProcessState.ExitCode()
}

// TestStoreThatCannotBe names a store that cannot be one: it is said in one
// line, and nothing is touched.
func TestStoreThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	_, _, code := serves(t, good, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop"}}`)
	require.Zero(t, code)
	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	with := func(at int, n uint32) []byte {
		b := bytes.Clone(whole)
		binary.BigEndian.PutUint32(b[at:], n)
		return b
	}
	for name, c := range map[string]struct {
		file []byte
		says string
	}{
		"a text":                          {[]byte(strings.Repeat("not a store\n", 50)), "is not a jobline store"},
		"a short text":                    {[]byte("x"), "is not a jobline store"},
		"a database of another program":   {with(68, 0x01020304), "of another program"},
		"a database of no program at all": {with(68, 0), "of another program"},
		"a newer version":                 {with(60, 4711), "newer jobline"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			stdout, stderr, code := serves(t, path, "")
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.Contains(t, stderr, c.says)
			require.Contains(t, stderr, path)
			now, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, c.file, now)
		})
	}
	for name, path := range map[string]string{"a directory": dir, "in a file": filepath.Join(good, "tasks.db")} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := serves(t, path, "")
			require.Equal(t, 1, code)
			require.Empty(t, stdout)
			require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			require.Contains(t, stderr, good[:len(dir)])
		})
	}
	now, err := os.ReadFile(good)
	require.NoError(t, err)
	require.Equal(t, whole, now)
}
