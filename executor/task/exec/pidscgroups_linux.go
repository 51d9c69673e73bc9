package exec

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// taskGroups lists the directories of the control groups that can limit the
// number of this process's threads: its own groups of version 1 and 2 and all
// that are above them and visible. The arguments are the files
// /proc/self/cgroup and /proc/self/mountinfo.
func taskGroups(cgroup, mountinfo string) (dirs []string) {
	list, _ := os.ReadFile(cgroup)
	mounts, _ := os.ReadFile(mountinfo)
	for line := range strings.Lines(string(mounts)) {
		m, ok := parseMount(line)
		if !ok {
			continue
		}
		group, ok := groupOn(string(list), m.version)
		if !ok {
			continue
		}
		for at := m.within(group); ; at = path.Dir(at) {
			dirs = append(dirs, m.point+at)
			if at == "/" {
				break
			}
		}
	}
	return dirs
}

// groupOn returns the path of this process's group in the hierarchy that counts
// threads.
func groupOn(list string, version int) (group string, ok bool) {
	for line := range strings.Lines(list) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 {
			continue
		}
		controllers := strings.Split(fields[1], ",")
		if version == 2 && fields[0] == "0" || version == 1 && slices.Contains(controllers, "pids") {
			return fields[2], true
		}
	}
	return "", false
}

// groupMount tells where a hierarchy of control groups is mounted.
type groupMount struct {
	version int
	root    string // the group at the mount point
	point   string
}

// parseMount reads a line of mountinfo, and reports whether it is for a
// hierarchy that can count threads.
func parseMount(line string) (m groupMount, ok bool) {
	about, system, _ := strings.Cut(line, " - ")
	fields, kind := strings.Fields(about), strings.Fields(system)
	if len(fields) < 5 || len(kind) < 3 {
		return m, false
	}
	m.root, m.point = unescape(fields[3]), unescape(fields[4])
	switch {
	case kind[0] == "cgroup2":
		m.version = 2
	case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "pids"):
		m.version = 1
	}
	return m, m.version != 0
}

// within returns the path of a group below the mount point. A group outside the
// mount, as where the mount is a container's and the path is not, counts as the
// one at the mount point.
func (m *groupMount) within(group string) string {
	rest, shown := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	if !shown || slices.Contains(strings.Split(rest, "/"), "..") {
		return "/"
	}
	return path.Join("/", rest)
}

// unescape decodes a path of mountinfo, in which \040 is a space.
func unescape(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, `\`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		code, err := strconv.ParseUint(after[:min(3, len(after))], 8, 8)
		if err != nil {
			b.WriteByte('\\')
			text = after
			continue
		}
		b.WriteByte(byte(code))
		text = after[3:]
	}
}
