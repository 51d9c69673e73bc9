package exec

import (
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

// taskGroups are the directories of the control groups that can limit how many
// tasks this process has: of version 1 and 2 those that it is in, and all above
// them that can be seen. The files are /proc/self/cgroup and mountinfo.
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
		for at := m.joinDir(group); ; at = path.Dir(at) {
			dirs = append(dirs, m.point+at)
			if at == "/" {
				break
			}
		}
	}
	return dirs
}

// groupOn is the path of this process's group, in the hierarchy that counts tasks.
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

// groupMount is where a hierarchy of control groups is mounted.
type groupMount struct {
	version int
	root    string // the group that the mount shows first
	point   string
}

// parseMount reads a line of mountinfo, and answers whether it is of a
// hierarchy that can count tasks.
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

// below is a group as the mount shows it. One that it does not show, as where
// the mount is a container's and the path is not, is taken for the first.
func (m *groupMount) joinDir(group string) string {
	rest, shown := strings.CutPrefix(group, strings.TrimSuffix(m.root, "/"))
	if !shown || slices.Contains(strings.Split(rest, "/"), "..") {
		return "/"
	}
	return path.Join("/", rest)
}

// unescape reads a path as mountinfo writes it: \040 is a space.
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
