package file

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPageSize reads what the head of a file says, where it can be.
func TestPageSize(t *testing.T) {
	for said, want := range map[uint16]int{1: 1 << 16, 4096: 4096, 512: 512, 1 << 15: 1 << 15, 0: 4096, 2: 4096, 256: 4096, 4097: 4096} {
		path := filepath.Join(t.TempDir(), "head")
		head := binary.BigEndian.AppendUint16([]byte("SQLite format 3\x00"), said)
		require.NoError(t, os.WriteFile(path, head, 0o600))
		got, err := pageSize(path)
		require.NoError(t, err)
		require.Equal(t, want, got, "the head says %d", said)
	}
	_, err := pageSize(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
