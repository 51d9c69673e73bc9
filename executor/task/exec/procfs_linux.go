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
	// statusBytes is more than the size of any /proc/PID/status.
	statusBytes = 16 << 10
)

// errNoProcfs means that there is no usable /proc: it is missing, or belongs to
// another PID namespace, where the numbers of our processes are those of others.
var errNoProcfs = errors.New("the processes cannot be seen")

// procfs reads /proc, where that numbers the processes as this process does. It
// keeps the directory open, so that a read takes one more descriptor at most,
// and holds a spare one for when the limit on descriptors is reached. Its
// methods may be called from many goroutines at once.
type procfs struct {
	root string // where it is

	mu     sync.Mutex // protects what follows
	dir    *os.File   // nil until it is open
	spare  *os.File   // closed for a moment where no descriptor is left; may be nil
	buffer bytes.Buffer
}

// close is called when nothing is read any more.
func (p *procfs) close() {
	for _, f := range []*os.File{p.dir, p.spare} {
		if f != nil {
			f.Close()
		}
	}
}

// pids lists all processes that /proc shows.
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

// read reads a file of a process and calls f with its content, which is valid
// until f returns. Where the file may not be read, or the process is gone, the
// content is empty.
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

// ours reports whether the environment of a process is trusted: not that of
// another user's process, which could pretend to belong to a command. Root
// trusts all, since a command of root can change its user.
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

// visibility tells how many of the processes /proc shows.
type visibility int

const (
	allVisible  visibility = iota
	ownVisible             // other users' processes are hidden (hidepid)
	noneVisible            // see errNoProcfs
)

// visibility finds out how many processes are shown. After an error of
// resources it assumes all: a later scan returns that error.
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

// openLocked opens /proc and the spare descriptor where they are not open. Its
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
		p.spare, _ = os.Open(p.root) // it is not needed yet
	}
	return nil
}

// checkLocked returns an error where /proc belongs to another PID namespace.
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

// numbersAlike reports whether the status of this process has its number, and
// no second one of a nested namespace. Without the latter, equal numbers could
// be a coincidence.
func numbersAlike(status string, pid int) bool {
	own := strconv.Itoa(pid)
	if numbers, ok := statusField(status, "NSpid"); ok {
		return numbers == own
	}
	number, _ := statusField(status, "Pid") // a kernel without namespaces
	return number == own
}

// statusField returns a field of a /proc/PID/status.
func statusField(status, name string) (value string, ok bool) {
	_, rest, ok := strings.Cut("\n"+status, "\n"+name+":")
	value, _, _ = strings.Cut(rest, "\n")
	return strings.TrimSpace(value), ok
}

// readLocked reads a file below /proc. The result is valid until the next call.
// With an error it may have read a part.
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

// noProcfsError returns err as a resourceError, or errNoProcfs where it is not
// one.
func noProcfsError(err error) error {
	if blind := resourceError(err); blind != nil {
		return blind
	}
	return errNoProcfs
}

// resourceError returns the error where it comes from a lack of descriptors or
// memory, and nil otherwise. Such an error says nothing about a process. Any
// other means that the process is gone or may not be read.
func resourceError(err error) error {
	switch {
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("look at the processes: %w", err)
	}
	return nil
}
