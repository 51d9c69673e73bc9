package exec

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	procDir = "/proc"
	// statusBytes is more than a /proc/PID/status has.
	statusBytes = 16 << 10
)

// errNoProcfs is the error of a look where /proc tells nothing of the processes:
// there is none, or it is that of another PID namespace, where our numbers are
// those of strangers.
var errNoProcfs = errors.New("the processes cannot be seen")

// procfs is /proc, where it numbers the processes as this process does. It is
// kept open, so that a look needs one descriptor at most, and has one in
// reserve for that. It is for many goroutines.
type procfs struct {
	root string // where it is

	mu     sync.Mutex // protects what follows
	dir    *os.File   // nil until it is open
	spare  *os.File   // given up for a moment where no other descriptor is to be had; may be nil
	buffer bytes.Buffer
}

// close is called when nobody reads any more.
func (p *procfs) close() {
	for _, f := range []*os.File{p.dir, p.spare} {
		if f != nil {
			f.Close()
		}
	}
}

// pids are the numbers of all processes that are shown.
func (p *procfs) pids() (pids []int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.openLocked(); err != nil {
		return nil, err
	}
	if _, err := p.dir.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	names, err := p.dir.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, resourceError(err) // what was read before another error counts
}

// read reads a file of a process and calls f with what it has, which is valid
// until f returns. A file that may not be read, or whose process is gone, is
// empty.
func (p *procfs) read(pid int, name string, limit int64, f func([]byte)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.openLocked(); err != nil {
		return err
	}
	text, err := p.readLocked(strconv.Itoa(pid)+"/"+name, limit)
	if err := resourceError(err); err != nil {
		return err
	}
	f(text) // what was read before another error counts
	return nil
}

// ours reports whether the markers of a process count: those of another user's
// do not, but those of what changed its user count for root, who alone sees them.
func (p *procfs) ours(pid int) bool {
	user := os.Geteuid()
	if user == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var st unix.Stat_t
	return p.openLocked() == nil && unix.Fstatat(int(p.dir.Fd()), strconv.Itoa(pid), &st, 0) == nil && int(st.Uid) == user
}

// visibility is how much of the processes /proc shows.
type visibility int

const (
	allVisible  visibility = iota
	ownVisible             // those of other users are hidden (hidepid)
	noneVisible            // see errNoProcfs
)

// visibility looks how much is to be seen. An error of the system counts as all: a
// look tells of it.
func (p *procfs) visibility() visibility {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.openLocked(); err != nil {
		if errors.Is(err, errNoProcfs) {
			return noneVisible
		}
		return allVisible
	}
	_, err := p.readLocked("1/stat", statusBytes) // everybody may read it, unless it is hidden
	if err != nil && resourceError(err) == nil {
		return ownVisible
	}
	return allVisible
}

// openLocked opens what is not open of /proc and the spare descriptor. Its
// error is errNoProcfs or a resourceError.
func (p *procfs) openLocked() error {
	if p.dir == nil {
		dir, err := os.Open(p.root)
		if err != nil {
			return noProcfsError(err)
		}
		p.dir = dir
		if err := p.checkLocked(); err != nil {
			p.dir = nil
			dir.Close()
			return err
		}
	}
	if p.spare == nil {
		p.spare, _ = os.Open(p.root) // it is for later
	}
	return nil
}

// checkLocked says what is wrong where /proc is not that of our PID namespace.
func (p *procfs) checkLocked() error {
	text, err := p.readLocked("self/status", statusBytes)
	if err != nil {
		return noProcfsError(err)
	}
	if !numbersAlike(string(text), os.Getpid()) {
		return errNoProcfs
	}
	return nil
}

// numbersAlike reports whether our own status has our own number, and no other
// in a namespace within: that the two numbers agree may be chance.
func numbersAlike(status string, pid int) bool {
	own := strconv.Itoa(pid)
	if numbers, ok := statusField(status, "NSpid"); ok {
		return numbers == own
	}
	number, _ := statusField(status, "Pid") // a kernel without namespaces
	return number == own
}

// statusField is a field of a /proc/PID/status.
func statusField(status, name string) (value string, ok bool) {
	_, rest, ok := strings.Cut("\n"+status, "\n"+name+":")
	value, _, _ = strings.Cut(rest, "\n")
	return strings.TrimSpace(value), ok
}

// readLocked reads a file below /proc, until the next read. With an error
// something may have been read, too.
func (p *procfs) readLocked(name string, limit int64) ([]byte, error) {
	fd, err := unix.Openat(int(p.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if resourceError(err) != nil && p.spare != nil {
		p.spare.Close()
		p.spare = nil
		defer func() { p.spare, _ = os.Open(p.root) }()
		fd, err = unix.Openat(int(p.dir.Fd()), name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	p.buffer.Reset()
	_, err = p.buffer.ReadFrom(io.LimitReader(f, limit))
	return p.buffer.Bytes(), err
}

// noProcfsError is a resourceError, or errNoProcfs where the error is another.
func noProcfsError(err error) error {
	if blind := resourceError(err); blind != nil {
		return blind
	}
	return errNoProcfs
}

// resourceError is an error that says nothing about a process, or nil: with the
// others, the process is gone, or not ours.
func resourceError(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("look at the processes: %w", err)
	}
	return nil
}
