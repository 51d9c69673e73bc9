//go:build unix && !linux

package stdio

// pipeAtomic is how many bytes a pipe takes at once that polls as writable.
const pipeAtomic = 512

// hangup asks a poll for the end of what the other side sends: of a pipe and of
// a socket it is always told.
const hangup = 0
