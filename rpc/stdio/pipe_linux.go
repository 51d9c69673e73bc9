package stdio

import "golang.org/x/sys/unix"

// pipeAtomic is how many bytes a pipe takes at once that polls as writable.
const pipeAtomic = 4096

// hangup asks a poll for the end of what the other side sends; of a pipe it is
// always told.
const hangup = unix.POLLRDHUP
