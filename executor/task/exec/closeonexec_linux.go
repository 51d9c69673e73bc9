package exec

import (
	"math"

	"golang.org/x/sys/unix"
)

// closeAllOnExecFrom marks all descriptors from first on to be closed when a program
// is executed. Systems before Linux 5.11 cannot do that in one call.
func closeAllOnExecFrom(first uint) error {
	return unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
