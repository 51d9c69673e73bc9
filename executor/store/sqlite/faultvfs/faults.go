package faultvfs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Op is an operation that is counted, shown to the hook, and can fail.
type Op string

// The operations.
const (
	Open     Op = "open"
	Read     Op = "read"
	Write    Op = "write"
	Sync     Op = "sync"
	Truncate Op = "truncate"
	Delete   Op = "delete"
)

// Kind is what a file is to its database.
type Kind string

// The kinds.
const (
	Main    Kind = "main"
	WAL     Kind = "wal"
	Journal Kind = "journal"
	// Other is temporary files and super-journals. They are the system's: only
	// Open and Delete are seen of them.
	Other Kind = "other"
)

// call is an operation on a kind of file.
type call struct {
	op   Op
	kind Kind
}

// fault makes calls fail.
type fault struct {
	err   error
	since int   // calls that there were before
	calls []int // counted from since; none is all
}

// Fail makes calls of an operation on a kind of file fail with an error of
// SQLite, as sqlite3.IOERR_WRITE or sqlite3.FULL: the given ones, of which 1 is
// the next; or, if none is given, all until Heal. Of several faults of a call
// the first arranged wins.
//
// A Write that fails has written none, some or all of its bytes, from their
// beginning. A Sync that fails on a lossy VFS has lost what was not on the disk, as on
// Linux: it is read still (see Evict), and no later Sync saves it unless it is
// written again.
func (v *VFS) Fail(op Op, kind Kind, err error, calls ...int) {
	if err == nil || slices.ContainsFunc(calls, func(n int) bool { return n < 1 }) {
		panic(fmt.Sprintf("faultvfs: Fail needs an error, and calls that count from 1: %v, %v", err, calls))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	c := call{op, kind}
	v.faults[c] = append(v.faults[c], fault{err: err, since: v.calls[c], calls: calls})
}

// Heal takes back every fault. What was lost stays lost, and a cut VFS cut.
func (v *VFS) Heal() {
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.faults)
}

// Hook has a function called before each operation, in the goroutine that does
// it: while the function blocks, so does the operation, and no other. A fault
// or cut that it makes is in time for the operation. Nil is no hook.
func (v *VFS) Hook(f func(Op, Kind)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hook = f
}

// Calls is how often an operation was called on a kind of file, with those that
// failed. What the hook holds back is not counted yet.
func (v *VFS) Calls(op Op, kind Kind) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.calls[call{op, kind}]
}

// do is the one way to an operation. It runs it under the lock, with the error
// that was arranged for it or nil.
func (v *VFS) do(op Op, kind Kind, run func(fault error) error) error {
	v.mu.Lock()
	hook := v.hook
	if v.cut {
		hook = nil
	}
	v.mu.Unlock()
	if hook != nil {
		hook(op, kind)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cut {
		return sqlite3.IOERR
	}
	return run(v.fault(call{op, kind}))
}

// fault counts a call, and answers its error; it needs the lock.
func (v *VFS) fault(c call) error {
	v.calls[c]++
	for _, f := range v.faults[c] {
		if len(f.calls) == 0 || slices.Contains(f.calls, v.calls[c]-f.since) {
			return f.err
		}
	}
	return nil
}

func kindOfFlags(flags vfs.OpenFlag) Kind {
	switch {
	case flags&vfs.OPEN_MAIN_DB != 0:
		return Main
	case flags&vfs.OPEN_WAL != 0:
		return WAL
	case flags&vfs.OPEN_MAIN_JOURNAL != 0:
		return Journal
	}
	return Other
}

// kindOfName knows the kinds of which SQLite deletes files.
func kindOfName(name string) Kind {
	switch {
	case strings.HasSuffix(name, "-wal"):
		return WAL
	case strings.HasSuffix(name, "-journal"):
		return Journal
	}
	return Other
}
