//go:build cgo

package command

// threadBytes is how much of the address space a thread takes. The C library
// makes it where the program is built with cgo, with a stack of the size that
// ulimit -s says, and room for memory of its own.
const threadBytes = 72 << 20
