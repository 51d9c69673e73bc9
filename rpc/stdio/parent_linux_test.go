package stdio

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestParentLives: a descriptor that tells nothing is no sign of the parent's end.
func TestParentLives(t *testing.T) {
	closed, err := unix.PidfdOpen(os.Getpid(), 0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(closed))
	require.False(t, parentEnded(closed, os.Getppid()))
}
