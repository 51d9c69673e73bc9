package exec

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeAllOnExecFrom marks all descriptors from first on as close-on-exec. It
// takes Linux 5.11.
func closeAllOnExecFrom(first uint) error {
	return unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
