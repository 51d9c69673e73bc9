package exec

import (
	"os"

	"golang.org/x/sys/unix"
)

// cgroup is the control group of one command: whatever a process does to its
// parent, session, environment or name, it stays in it.
type cgroup struct {
	path string
	fd   int
	// spent is set by kill. What is started in a group that was killed before is
	// killed, too, by some kernels: see errKillsAll.
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
	return &cgroup{path: path, fd: fd}, nil
}

// free reports whether no process is in the cgroup, and none would be frozen in it.
func (c *cgroup) free() (bool, error) {
	fd, err := unix.Openat(c.fd, eventsFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &os.PathError{Op: "open", Path: c.path, Err: err}
	}
	defer unix.Close(fd)
	var text [len(unusedEvents) + 1]byte
	n, err := unix.Read(fd, text[:])
	return err == nil && string(text[:n]) == unusedEvents, err
}

// drop gives a cgroup up. Where a process is in it, it is removed with the serverCgroup.
func (c *cgroup) discard() {
	_ = unix.Rmdir(c.path)
	unix.Close(c.fd)
}

// pids are the numbers of the processes in a cgroup. Where sure is false there
// may be others. A nil cgroup is never sure.
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

// kill kills all processes of a cgroup, whatever they do meanwhile. Where the
// system denies it, they are signalled one by one.
func (c *cgroup) kill() {
	if c != nil {
		c.wasKilled = true
		_ = killCgroup(c.path)
	}
}
