//go:build !linux

package bench

import (
	"os"
	"time"
)

// canMeasure says that cpuOf and residentOf can tell.
const canMeasure = false

// cpuOf and residentOf cannot tell here: the rows that need them are left out.
func cpuOf(int) time.Duration { return 0 }
func residentOf(int) int64    { return 0 }

// syncData waits until what was written is on the disk.
func syncData(f *os.File) error { return f.Sync() }
