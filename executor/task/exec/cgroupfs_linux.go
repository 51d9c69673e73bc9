package exec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Files of a control group of version 2.
const (
	procsFile  = "cgroup.procs"
	killFile   = "cgroup.kill"
	eventsFile = "cgroup.events"
	// unusedEvents is what eventsFile has in it for a group without processes that
	// is not frozen.
	unusedEvents = "populated 0\nfrozen 0\n"
)

// ownCgroup returns the directory of the control group that this process is in.
func ownCgroup() (string, error) {
	list, err := os.ReadFile(procDir + "/self/cgroup")
	if err != nil {
		return "", err
	}
	mounts, err := os.ReadFile(procDir + "/self/mountinfo")
	if err != nil {
		return "", err
	}
	dir, err := cgroupDir(string(list), string(mounts))
	if err != nil {
		return "", err
	}
	pids, err := processesIn(dir)
	if err == nil && !slices.Contains(pids, os.Getpid()) {
		err = fmt.Errorf("this process is not in %s", dir)
	}
	return dir, err
}

// cgroupDir finds the directory of a process's control group of version 2, from
// /proc/PID/cgroup and /proc/PID/mountinfo.
func cgroupDir(list, mounts string) (string, error) {
	_, path, found := strings.Cut("\n"+list, "\n0::")
	path, _, _ = strings.Cut(path, "\n")
	if !found {
		return "", errors.New("control groups of version 2 are not in use")
	}
	for line := range strings.Lines(mounts) {
		// 41 31 0:38 ROOT MOUNTPOINT rw,relatime shared:9 - cgroup2 cgroup2 rw
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		root, mountPoint := unescapeMount(fields[3]), unescapeMount(fields[4])
		if joinDir, err := filepath.Rel(root, path); err == nil && filepath.IsLocal(joinDir) {
			return filepath.Join(mountPoint, joinDir), nil
		}
	}
	return "", errors.New("the control group of this process is mounted nowhere")
}

var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

func unescapeMount(path string) string { return mountEscapes.Replace(path) }

// processesIn lists the processes of a group, without those of its child
// groups.
func processesIn(dir string) (pids []int, err error) {
	text, err := os.ReadFile(filepath.Join(dir, procsFile))
	if err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		// A process outside our PID namespace has number 0.
		if pid, err := strconv.Atoi(s.Text()); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// processesBelow lists the processes of a group and of all groups below it.
func processesBelow(dir string) (pids []int, err error) {
	for _, dir := range cgroupsBelow(dir) {
		found, e := processesIn(dir)
		pids = append(pids, found...)
		if err == nil && !isGone(e) {
			err = e
		}
	}
	return pids, err
}

// isGone reports whether an error of reading a group's file means that the
// group was removed, or that its parent lists its processes, as with threaded
// groups.
func isGone(err error) bool {
	return err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP)
}

// cgroupsBelow lists the directories of a group and of all groups below it,
// parents first.
func cgroupsBelow(dir string) (dirs []string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // a group may be removed meanwhile
	})
	return dirs
}

// killCgroup kills all processes of a group and below it, also those that are
// forked meanwhile. It does not wait for their ends.
func killCgroup(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, killFile), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString("1")
	return err
}

// removeCgroup removes a group and those below it. It waits for the ends of
// their processes, which were killed.
func removeCgroup(dir string, within time.Duration) error {
	for until := time.Now().Add(within); ; time.Sleep(groupPoll) {
		var err error
		for _, dir := range slices.Backward(cgroupsBelow(dir)) {
			err = unix.Rmdir(dir)
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !time.Now().Before(until) {
			return &fs.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
}
