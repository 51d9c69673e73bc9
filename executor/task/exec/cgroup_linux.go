package exec

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// cgroup is the control group of one command. A process stays in it whatever it
// does to its parent, session, environment or name.
type cgroup struct {
	path string
	fd   int // of the directory
	// events is cgroup.events, which is kept open: unused reads it before each
	// command.
	events int
	// wasKilled is set by kill. Some kernels kill what is started in a group that
	// was killed before: see errKillsAll.
	wasKilled bool
}

func newCgroup(path string) (*cgroup, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	one, err := openCgroup(path)
	if err != nil {
		_ = unix.Rmdir(path)
	}
	return one, err
}

func openCgroup(path string) (*cgroup, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	events, err := unix.Openat(fd, eventsFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: filepath.Join(path, eventsFile), Err: err}
	}
	return &cgroup{path: path, fd: fd, events: events}, nil
}

// close closes the descriptors.
func (c *cgroup) close() {
	unix.Close(c.events)
	unix.Close(c.fd)
}

// unused reports whether no process is in the group, and none would be frozen in
// it. An error says that the group was removed.
func (c *cgroup) unused() (bool, error) {
	var text [len(unusedEvents) + 1]byte
	n, err := unix.Pread(c.events, text[:], 0)
	return err == nil && string(text[:n]) == unusedEvents, err
}

// discard removes a group that is not to be used again. One that has a process
// in it is removed with the server's.
func (c *cgroup) discard() {
	_ = unix.Rmdir(c.path)
	c.close()
}

// pids lists the processes in a control group. Where sure is false there may be
// others, as always with a nil cgroup.
func (c *cgroup) pids() (inCgroup map[int]bool, sure bool) {
	if c == nil {
		return nil, false
	}
	found, err := processesBelow(c.path)
	inCgroup = make(map[int]bool, len(found))
	for _, pid := range found {
		inCgroup[pid] = true
	}
	return inCgroup, err == nil
}

// kill kills all processes of a group, also those that are forked meanwhile.
// Where the system denies it, they are signalled one by one.
func (c *cgroup) kill() {
	if c != nil {
		c.wasKilled = true
		_ = killCgroup(c.path)
	}
}
