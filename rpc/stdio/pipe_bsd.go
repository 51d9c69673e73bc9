//go:build unix && !linux

package stdio

// pipeAtom is how many bytes a pipe takes at once that polls as writable.
const pipeAtom = 512

// hangup asks a poll for the end of what the other side sends: of a pipe and of
// a socket it is always told.
const hangup = 0
