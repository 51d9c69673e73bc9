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
	// spareCgroups is how many cgroups are kept for later beside one for each
	// command that there is to be room for.
	spareCgroups = 32
	// maxCgroupChecks bounds how many cgroups a command looks at before it gets a new one.
	maxCgroupChecks = 4
	// maxCgroupRefusals ends the use of cgroups, where as many commands in a row could
	// be started only without one.
	maxCgroupRefusals = 3
)

// cgroupPool are the control groups for commands. To make one costs as much as to
// start a process, so they are used again. A cgroup that a process has stayed in
// on purpose is not, until that has ended.
type cgroupPool struct {
	log  *slog.Logger
	most int // that are kept

	opening      sync.Once
	removing     sync.WaitGroup
	serverCgroup *serverCgroup // nil without cgroups
	why          error         // there are none

	mu      sync.Mutex // protects what follows
	idle    []*cgroup  // may have processes in them; the longest unused first
	made    int        // all that have been made
	refused int        // commands in a row that could not be started in a cgroup
	warned  bool       // the trouble was logged
}

// newCgroupPool are cgroups for as many commands at once.
func newCgroupPool(log *slog.Logger, commands int) cgroupPool {
	return cgroupPool{log: log, most: commands + spareCgroups}
}

// open makes the server's group, once, and answers its path, or "". It has
// those removed that other servers have left.
func (c *cgroupPool) open() string {
	c.opening.Do(func() {
		own, err := ownCgroup()
		if err != nil {
			c.why = err
			return
		}
		c.serverCgroup, c.why = openServerCgroup(own)
		c.removing.Go(func() { removeAbandonedCgroups(own) })
	})
	if c.serverCgroup == nil {
		return ""
	}
	return c.serverCgroup.path
}

// take is a cgroup that no process is in, or nil where there are none. An error
// says that it may be had another time.
func (c *cgroupPool) acquire() (*cgroup, error) {
	if c.open() == "" {
		return nil, nil
	}
	for range maxCgroupChecks {
		one := c.first()
		if one == nil {
			break
		}
		free, err := one.free()
		if free {
			return one, nil
		}
		if err == nil {
			c.release(one)
			continue
		}
		one.discard()
		if resourceError(err) != nil {
			return nil, err
		}
	}
	return c.make()
}

// first takes the cgroup that has not been used for the longest time, or nil.
func (c *cgroupPool) first() *cgroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	one := c.idle[0]
	c.idle = c.idle[1:]
	return one
}

// give takes back a cgroup whose command is over; nil is none.
func (c *cgroupPool) release(one *cgroup) {
	if one == nil {
		return
	}
	if one.wasKilled {
		one.discard()
		return
	}
	c.mu.Lock()
	c.idle = append(c.idle, one)
	var extra *cgroup
	if len(c.idle) > c.most {
		extra, c.idle = c.idle[0], c.idle[1:]
	}
	c.mu.Unlock()
	if extra != nil {
		extra.discard()
	}
}

func (c *cgroupPool) make() (*cgroup, error) {
	c.mu.Lock()
	usable := c.refused < maxCgroupRefusals
	c.made++
	path := filepath.Join(c.serverCgroup.path, strconv.Itoa(c.made))
	c.mu.Unlock()
	if !usable {
		return nil, nil
	}
	one, err := newCgroup(path)
	if err != nil && resourceError(err) == nil {
		c.warnOnce(err)
		return nil, nil
	}
	return one, err
}

// warnOnce says once that commands are started outside of cgroups.
func (c *cgroupPool) warnOnce(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.warned {
		c.log.Warn("a command has no control group of its own: what of it leaves its process group may not be found", "error", err)
	}
	c.warned = true
}

// start starts a process in a cgroup, by a function that spawns it with attr.
// Where there are no cgroups, or this one is refused, the process has none.
func (c *cgroupPool) start(attr *os.ProcAttr, spawn func() (*os.Process, error)) (*os.Process, *cgroup, error) {
	one, err := c.acquire()
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
		c.countStart(false)
		return proc, one, nil
	}
	if !refusal(err) {
		c.release(one)
		return nil, nil, err
	}
	attr.Sys.UseCgroupFD = false
	proc, again := spawn()
	if again != nil { // so the cgroup was not why
		c.release(one)
		return nil, nil, again
	}
	one.discard()
	c.countStart(true)
	c.warnOnce(err)
	return proc, nil, nil
}

func (c *cgroupPool) countStart(refused bool) {
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

// close kills all that is left in the cgroups, and removes them. A start that is
// under way may use one; call it when nothing runs.
func (c *cgroupPool) close() {
	c.opening.Do(func() {})
	c.removing.Wait()
	if c.serverCgroup == nil {
		return
	}
	for one := c.first(); one != nil; one = c.first() {
		unix.Close(one.fd)
	}
	c.serverCgroup.close()
}
