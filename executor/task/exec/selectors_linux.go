package exec

import "slices"

// selector answers which of all processes are meant.
type selector func(all []process) []process

// family is the tree: its cgroup, its group and session, what has its markers,
// what was known to be of it, and what has come of those. The number of the
// group and the session must not be free yet.
func (t *tree) wholeTree(all []process) []process {
	return withDescendants(all, func(p *process) bool {
		return p.inCgroup || t.hasGroup(p) || p.session == t.pid || t.hasMark(p) || t.isKnown(p.pid, p.start)
	})
}

// identified are what is in the command's cgroup or has its markers, and what has
// come of that.
func (t *tree) identified(all []process) []process {
	return withDescendants(all, func(p *process) bool { return p.inCgroup || t.hasMark(p) })
}

// inProcessGroup are the processes of the command's group.
func (t *tree) inProcessGroup(all []process) (found []process) {
	for i := range all {
		if t.hasGroup(&all[i]) {
			found = append(found, all[i])
		}
	}
	return found
}

// withDescendants are the processes that match and all that have come of them: whoever's
// parent is one of them is one of them, whatever its group and environment.
func withDescendants(all []process, match func(*process) bool) (found []process) {
	pids := map[int]bool{}
	for grown := true; grown; { // children may stand before their parents
		grown = false
		for i := range all {
			p := &all[i]
			if !pids[p.pid] && (pids[p.parent] || match(p)) {
				pids[p.pid], grown = true, true
				found = append(found, *p)
			}
		}
	}
	return found
}

// hasGroup reports whether a process is in the command's group.
func (t *tree) hasGroup(p *process) bool { return p.group == t.pid }

// marked reports whether a process has the command's key in its environment.
func (t *tree) hasMark(p *process) bool { return slices.Contains(p.keys, t.mark.key) }

// knows reports whether a look has found a process to be of the tree.
func (t *tree) isKnown(pid int, start string) bool {
	return slices.ContainsFunc(t.known, func(m processHandle) bool { return m.pid == pid && m.start == start })
}
