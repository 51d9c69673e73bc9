//go:build !cgo

package exec

// threadBytes is how much of the address space a thread takes: stacks for the
// runtime's own use, and what else it notes of a thread. For 200 threads the
// runtime was seen to take a third of a MiB for each.
func threadBytes() int64 { return 512 << 10 }
