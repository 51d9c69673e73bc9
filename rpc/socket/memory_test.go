//go:build linux || darwin || freebsd

package socket

import "runtime"

// memoryInUse is how many bytes of heap and stacks are in use.
func memoryInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
