package exec

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// spareCells is how many cells are kept for later beside one for each
	// command that there is to be room for.
	spareCells = 32
	// cellLooks bounds how many cells a command looks at before it gets a new one.
	cellLooks = 4
	// cellRefusals ends the use of cells, where as many commands in a row could
	// be started only without one.
	cellRefusals = 3
)

// cell is the control group of one command: whatever a process does to its
// parent, session, environment or name, it stays in it.
type cell struct {
	path string
	fd   int
	// spent is set by kill. What is started in a group that was killed before is
	// killed, too, by some kernels: see errKillsAll.
	spent bool
}

// cells are the control groups for commands. To make one costs as much as to
// start a process, so they are used again. A cell that a process has stayed in
// on purpose is not, until that has ended.
type cells struct {
	log  *slog.Logger
	most int // that are kept

	opening  sync.Once
	sweeping sync.WaitGroup
	yard     *yard // nil without cells
	why      error // there are none

	mu      sync.Mutex // protects what follows
	idle    []*cell    // may have processes in them; the longest unused first
	made    int        // all that have been made
	refused int        // commands in a row that could not be started in a cell
	said    bool       // the trouble was logged
}

// newCells are cells for as many commands at once.
func newCells(log *slog.Logger, commands int) cells {
	return cells{log: log, most: commands + spareCells}
}

// open makes the server's group, once, and answers its path, or "". It has
// those removed that other servers have left.
func (c *cells) open() string {
	c.opening.Do(func() {
		own, err := ownGroup()
		if err != nil {
			c.why = err
			return
		}
		c.yard, c.why = openYard(own)
		c.sweeping.Go(func() { sweepYards(own) })
	})
	if c.yard == nil {
		return ""
	}
	return c.yard.path
}

// take is a cell that no process is in, or nil where there are none. An error
// says that it may be had another time.
func (c *cells) take() (*cell, error) {
	if c.open() == "" {
		return nil, nil
	}
	for range cellLooks {
		one := c.first()
		if one == nil {
			break
		}
		free, err := one.free()
		if free {
			return one, nil
		}
		if err == nil {
			c.give(one)
			continue
		}
		one.drop()
		if blindness(err) != nil {
			return nil, err
		}
	}
	return c.make()
}

// first takes the cell that has not been used for the longest time, or nil.
func (c *cells) first() *cell {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	one := c.idle[0]
	c.idle = c.idle[1:]
	return one
}

// give takes back a cell whose command is over; nil is none.
func (c *cells) give(one *cell) {
	if one == nil {
		return
	}
	if one.spent {
		one.drop()
		return
	}
	c.mu.Lock()
	c.idle = append(c.idle, one)
	var extra *cell
	if len(c.idle) > c.most {
		extra, c.idle = c.idle[0], c.idle[1:]
	}
	c.mu.Unlock()
	if extra != nil {
		extra.drop()
	}
}

func (c *cells) make() (*cell, error) {
	c.mu.Lock()
	usable := c.refused < cellRefusals
	c.made++
	path := filepath.Join(c.yard.path, strconv.Itoa(c.made))
	c.mu.Unlock()
	if !usable {
		return nil, nil
	}
	one, err := newCell(path)
	if err != nil && blindness(err) == nil {
		c.complain(err)
		return nil, nil
	}
	return one, err
}

// complain says once that commands are started outside of cells.
func (c *cells) complain(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.said {
		c.log.Warn("a command has no control group of its own: what of it leaves its process group may not be found", "error", err)
	}
	c.said = true
}

// start starts a process in a cell, by a function that spawns it with attr.
// Where there are no cells, or this one is refused, the process has none.
func (c *cells) start(attr *os.ProcAttr, spawn func() (*os.Process, error)) (*os.Process, *cell, error) {
	one, err := c.take()
	if err != nil {
		return nil, nil, err
	}
	if one == nil {
		proc, err := spawn()
		return proc, nil, err
	}
	attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, one.fd
	proc, err := spawn()
	if err == nil {
		c.note(false)
		return proc, one, nil
	}
	if !refusal(err) {
		c.give(one)
		return nil, nil, err
	}
	attr.Sys.UseCgroupFD = false
	proc, again := spawn()
	if again != nil { // so the cell was not why
		c.give(one)
		return nil, nil, again
	}
	one.drop()
	c.note(true)
	c.complain(err)
	return proc, nil, nil
}

func (c *cells) note(refused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused++; !refused {
		c.refused = 0
	}
}

// refusal reports whether an error of starting a process can be one of its
// control group. Those that a program alone can cause are not.
func refusal(err error) bool {
	errno, _ := errors.AsType[syscall.Errno](err)
	switch errno {
	case unix.EACCES, unix.EPERM, unix.ENOSYS, unix.EBUSY, unix.EOPNOTSUPP, unix.ENODEV, unix.ENOENT, unix.EINVAL:
		return true
	}
	return false
}

// close kills all that is left in the cells, and removes them. A start that is
// under way may use one; call it when nothing runs.
func (c *cells) close() {
	c.opening.Do(func() {})
	c.sweeping.Wait()
	if c.yard == nil {
		return
	}
	for one := c.first(); one != nil; one = c.first() {
		unix.Close(one.fd)
	}
	c.yard.close()
}

func newCell(path string) (*cell, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	one, err := openCell(path)
	if err != nil {
		_ = unix.Rmdir(path)
	}
	return one, err
}

func openCell(path string) (*cell, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &cell{path: path, fd: fd}, nil
}

// free reports whether no process is in the cell, and none would be frozen in it.
func (c *cell) free() (bool, error) {
	fd, err := unix.Openat(c.fd, groupEvents, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: c.path, Err: err}
	}
	defer unix.Close(fd)
	var text [len(freeEvents) + 1]byte
	n, err := unix.Read(fd, text[:])
	return err == nil && string(text[:n]) == freeEvents, err
}

// drop gives a cell up. Where a process is in it, it is removed with the yard.
func (c *cell) drop() {
	_ = unix.Rmdir(c.path)
	unix.Close(c.fd)
}

// pids are the numbers of the processes in a cell. Where sure is false there
// may be others. A nil cell is never sure.
func (c *cell) pids() (inside map[int]bool, sure bool) {
	if c == nil {
		return nil, false
	}
	found, err := processesBelow(c.path)
	inside = make(map[int]bool, len(found))
	for _, pid := range found {
		inside[pid] = true
	}
	return inside, err == nil
}

// kill kills all processes of a cell, whatever they do meanwhile. Where the
// system denies it, they are signalled one by one.
func (c *cell) kill() {
	if c != nil {
		c.spent = true
		_ = killGroup(c.path)
	}
}
