//go:build !cgo

package command

// threadBytes is how much of the address space a thread takes: stacks for the
// runtime's own use, and what else it notes of a thread.
const threadBytes = 256 << 10
