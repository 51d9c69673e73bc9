package exec

import (
	"math"

	"golang.org/x/sys/unix"
)

// keepAllFrom marks all descriptors from first on to be closed when a program
// is executed. Systems before Linux 5.11 cannot do that in one call.
func keepAllFrom(first uint) error {
	return unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
}
