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
	// serverCgroupPrefix begins the name of the group of a server.
	serverCgroupPrefix = "jobline-"
	// serverCgroupTries is how often a server makes a group of its own, where another
	// takes it for one that was left.
	serverCgroupTries = 10
)

// serverCgroupName is what names of servers' groups look like: they are rand.Text.
var serverCgroupName = regexp.MustCompile(`^` + serverCgroupPrefix + `[A-Z2-7]{20,}$`)

// serverCgroup is the control group in which a server makes one for each command. It
// stands in the group that the server itself is in, which needs no right but to
// make directories there: no controller is used, so all limits stay those of
// the server's group. The lock on it ends with the server, however it ends:
// who gets the lock may remove the group.
type serverCgroup struct {
	path string
	dir  *os.File // has the lock
}

// openServerCgroup makes a group for this server in its own one.
func openServerCgroup(own string) (*serverCgroup, error) {
	for range serverCgroupTries {
		y, err := newServerCgroup(filepath.Join(own, serverCgroupPrefix+rand.Text()))
		if err != nil || y != nil {
			return y, err
		}
	}
	return nil, errors.New("others remove what this process makes")
}

// newServerCgroup makes a group, and locks it before anything else: until then another
// server takes it for one that was left, and kills what is in it. It answers nil
// where one has been faster.
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

// errKillsAll is of a kernel (6.18 for one) that compares how often the group of
// the parent and that of the child were killed, and kills the child where the
// numbers differ: see findings/killed-cgroup-kills-what-is-cloned-into-it.sh.
var errKillsAll = errors.New("the system kills what is started in it")

// checkCanStartIn reports why no process can be started in a group: the right may be
// missing, a sandbox may deny the call, the group may be of a threaded tree. It
// starts what is no program, and so gets as far as the error of that.
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

// lockCgroup opens and locks a group. It answers nil where somebody else has
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

// removeAbandonedCgroups removes the groups of servers that have ended, and kills what is
// in them: neither they nor their guards had the time to.
func removeAbandonedCgroups(own string) {
	left, _ := filepath.Glob(filepath.Join(own, serverCgroupPrefix+"*"))
	for _, path := range left {
		if !serverCgroupName.MatchString(filepath.Base(path)) {
			continue
		}
		dir, err := lockCgroup(path)
		if err != nil || dir == nil {
			continue // its server lives, or it is not ours to remove
		}
		(&serverCgroup{path: path, dir: dir}).close()
	}
}

// close kills all that is left in the group, and removes it.
func (y *serverCgroup) close() {
	_ = killCgroup(y.path)
	_ = removeCgroup(y.path, killWait) // who starts next tries again
	y.dir.Close()
}
