package exec

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// spareCgroups is how many unused groups the pool keeps beside one for each
	// command that it is to have room for.
	spareCgroups = 32
	// maxCgroupChecks bounds how many groups of the pool are looked at before a
	// command gets a new one.
	maxCgroupChecks = 4
	// maxCgroupRefusals ends the use of control groups: so many commands in a row
	// could be started only without one.
	maxCgroupRefusals = 3
)

// cgroupPool has the control groups of commands. Making one costs as much as
// starting a process, so they are used again. A group in which a process has
// stayed is used again when that has ended.
type cgroupPool struct {
	log  *slog.Logger
	most int // groups that are kept

	opening      sync.Once
	removing     sync.WaitGroup
	serverCgroup *serverCgroup // nil where commands have no control groups
	why          error         // and the reason for that

	mu sync.Mutex // protects what follows
	// idle are the groups whose commands are over. The one used last stands last.
	// Those in which a process was seen stand first.
	idle    []*cgroup
	made    int  // groups that were made, ever
	refused int  // commands in a row that could not be started in a group
	warned  bool // the trouble was logged
}

// newCgroupPool makes a pool for as many commands at once.
func newCgroupPool(log *slog.Logger, commands int) cgroupPool {
	return cgroupPool{log: log, most: commands + spareCgroups}
}

// open makes the server's group, once, and answers its path, or "". It has the
// groups removed that dead servers have left.
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

// acquire answers a group that no process is in, or nil where there are none. An
// error is one of resources, and may be over another time.
func (c *cgroupPool) acquire() (*cgroup, error) {
	if c.open() == "" {
		return nil, nil
	}
	for range maxCgroupChecks {
		one := c.latest()
		if one == nil {
			break
		}
		unused, err := one.unused()
		switch {
		case unused:
			return one, nil
		case err == nil:
			c.setAside(one)
		default:
			one.discard()
		}
	}
	return c.make()
}

// latest takes the group that was used last, or nil: the system has most of it in
// its caches, and tells those who watch its events only every 10 ms that they changed.
func (c *cgroupPool) latest() *cgroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.idle)
	if n == 0 {
		return nil
	}
	one := c.idle[n-1]
	c.idle = c.idle[:n-1]
	return one
}

// setAside puts a group back that has a process in it, as the last to be used again.
func (c *cgroupPool) setAside(one *cgroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = slices.Insert(c.idle, 0, one)
}

// release takes back a group whose command is over; nil is none.
func (c *cgroupPool) release(one *cgroup) {
	if one == nil {
		return
	}
	if one.wasKilled {
		one.discard()
		return
	}
	if extra := c.keep(one); extra != nil {
		extra.discard()
	}
}

// keep puts a group into the pool, and answers the one that has to leave it for
// that, or nil.
func (c *cgroupPool) keep(one *cgroup) (extra *cgroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = append(c.idle, one)
	if len(c.idle) > c.most {
		extra = c.idle[0]
		c.idle = slices.Delete(c.idle, 0, 1)
	}
	return extra
}

// make makes a group. It answers nil where commands are to have none.
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

// warnOnce logs, once, that commands are started without control groups.
func (c *cgroupPool) warnOnce(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.warned {
		c.log.Warn("a command has no control group of its own: what of it leaves its process group may not be found", "error", err)
	}
	c.warned = true
}

// start starts a process in a control group, by a function that spawns it with
// attr. Where there are no groups, or the system refuses this one, the process
// has none. With pty its descriptor 0 becomes its controlling terminal.
func (c *cgroupPool) start(attr *os.ProcAttr, pty bool, spawn func() (*os.Process, error)) (*os.Process, *cgroup, error) {
	one, err := c.acquire()
	if err != nil {
		return nil, nil, err
	}
	if one == nil {
		attr.Sys = ownSession(pty)
		proc, err := spawn()
		return proc, nil, err
	}
	attr.Sys = isolation(one, pty)
	proc, err := spawn()
	if err == nil {
		c.countStart(false)
		return proc, one, nil
	}
	if !refusal(err) {
		c.release(one)
		return nil, nil, err
	}
	attr.Sys = ownSession(pty)
	proc, again := spawn()
	if again != nil { // so the group was not why
		c.release(one)
		return nil, nil, again
	}
	one.discard()
	c.countStart(true)
	c.warnOnce(err)
	return proc, nil, nil
}

// isolation are the attributes of a process that starts in a control group. It
// has a process group of its own. It has a session of its own, too, where this
// process's session has a terminal: a command that read that would be stopped.
// Elsewhere a session keeps nothing away from it, and its processes are found by
// the control group. The system makes a group for scheduling with each session,
// which can cost half as much as the start of a small program.
func isolation(one *cgroup, pty bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if pty || hasTerminal() {
		attr = ownSession(pty)
	}
	attr.UseCgroupFD, attr.CgroupFD = true, one.fd
	return attr
}

// hasTerminal reports whether this process's session had a terminal, or may have
// had one, when the first command was started.
var hasTerminal = sync.OnceValue(func() bool {
	fd, err := unix.Open(terminalPath, unix.O_RDONLY|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err != unix.ENXIO
})

// terminalPath is the terminal of the session of the process that opens it.
const terminalPath = "/dev/tty"

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

// close kills what is left in the groups, and removes them. It is called when no
// command runs and none is being started.
func (c *cgroupPool) close() {
	c.opening.Do(func() {})
	c.removing.Wait()
	if c.serverCgroup == nil {
		return
	}
	for one := c.latest(); one != nil; one = c.latest() {
		one.close()
	}
	c.serverCgroup.close()
}
