package stdio

import (
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// One wish to end that arrives twice is one; a second wish counts.
func TestOneWish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := &interrupts{conn: newPipes(descriptor{}, descriptor{})}
		require.Equal(t, end, i.signalled(syscall.SIGTERM))
		for range 3 {
			time.Sleep(OneWish / 4)
			require.Equal(t, ignore, i.signalled(syscall.SIGTERM), "timeout(1) signals the child, and its group")
		}
		require.Equal(t, ignore, i.signalled(syscall.SIGHUP), "systemd sends it after SIGTERM")
		require.Equal(t, syscall.SIGTERM, i.acted)
		time.Sleep(OneWish)
		require.Equal(t, kill, i.signalled(syscall.SIGINT))
		require.Equal(t, syscall.SIGINT, i.acted)
		require.Equal(t, ignore, i.signalled(syscall.SIGINT))
		time.Sleep(OneWish)
		require.Equal(t, kill, i.signalled(syscall.SIGINT))
	})
}
