package exec

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// serverCgroupPrefix begins the name of a server's group.
	serverCgroupPrefix = "jobline-"
	// serverCgroupTries is how often a server makes its group, where other servers
	// take it for an abandoned one and remove it.
	serverCgroupTries = 10
)

// serverCgroupName matches the names of servers' groups, which end with a
// rand.Text.
var serverCgroupName = regexp.MustCompile(`^` + serverCgroupPrefix + `[A-Z2-7]{20,}$`)

// serverCgroup is the control group in which a server makes one for each
// command. It is a child of the server's own group. To make it takes only the
// right to make directories there. It enables no controller, so the limits of
// the server's group hold for commands, too. A lock on the directory lasts as
// long as the server: a process that can take it may remove the group.
type serverCgroup struct {
	path string
	dir  *os.File // holds the lock
}

// openServerCgroup makes this server's group as a child of own.
func openServerCgroup(own string) (*serverCgroup, error) {
	for range serverCgroupTries {
		y, err := newServerCgroup(filepath.Join(own, serverCgroupPrefix+rand.Text()))
		if err != nil || y != nil {
			return y, err
		}
	}
	return nil, errors.New("others remove what this process makes")
}

// newServerCgroup makes a group and locks it at once: another server removes a
// group that is not locked. It returns nil where that has happened.
func newServerCgroup(path string) (*serverCgroup, error) {
	if err := os.Mkdir(path, 0o755); err != nil {
		return nil, err
	}
	dir, err := lockCgroup(path)
	if err == nil && dir == nil {
		return nil, nil
	}
	if err == nil {
		err = unix.Access(filepath.Join(path, killFile), unix.W_OK)
	}
	if err == nil {
		err = checkCanStartIn(path)
	}
	if err != nil {
		_ = unix.Rmdir(path)
		if dir != nil {
			dir.Close()
		}
		return nil, err
	}
	return &serverCgroup{path: path, dir: dir}, nil
}

// errKillsAll is for kernels (such as 6.18) that count how often a group was
// killed, and kill a new process where the counts of its group and its parent's
// differ: see findings/killed-cgroup-kills-what-is-cloned-into-it.sh.
var errKillsAll = errors.New("the system kills what is started in it")

// checkCanStartIn tries to start a process in a group and returns why that
// fails: the right may be missing, a sandbox may deny the call, the group may
// be threaded. The program that it starts cannot be executed, so ENOTDIR means
// that all before went well.
func checkCanStartIn(path string) error {
	one, err := openCgroup(path)
	if err != nil {
		return err
	}
	defer one.close()
	sys := &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: one.fd}
	proc, err := os.StartProcess(os.DevNull+"/", []string{""}, &os.ProcAttr{Sys: sys})
	if err == nil {
		_, _ = proc.Wait()
		return errKillsAll
	}
	if errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return fmt.Errorf("start a process in it: %w", errnoIn(err))
}

// lockCgroup opens and locks a group. It returns nil where another process has
// the lock, or has removed the group.
func lockCgroup(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		dir.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, &os.PathError{Op: "flock", Path: path, Err: err}
	}
	mine, err := dir.Stat()
	there, e := os.Stat(path)
	if err != nil || e != nil || !os.SameFile(mine, there) {
		dir.Close()
		return nil, nil
	}
	return dir, nil
}

// removeAbandonedCgroups kills what is in the groups of servers that have
// ended, and removes them. It is for servers whose guard was killed, too.
func removeAbandonedCgroups(own string) {
	left, _ := filepath.Glob(filepath.Join(own, serverCgroupPrefix+"*"))
	for _, path := range left {
		if !serverCgroupName.MatchString(filepath.Base(path)) {
			continue
		}
		dir, err := lockCgroup(path)
		if err != nil || dir == nil {
			continue // its server lives, or we may not remove it
		}
		(&serverCgroup{path: path, dir: dir}).close()
	}
}

// close kills what is left in the group, and removes it.
func (y *serverCgroup) close() {
	_ = killCgroup(y.path)
	_ = removeCgroup(y.path, killWait) // the next server tries again
	y.dir.Close()
}
