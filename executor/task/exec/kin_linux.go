package exec

import "slices"

// choice answers which of all processes are meant.
type choice func(all []process) []process

// family is the tree: its cell, its group and session, what has its markers,
// what was known to be of it, and what has come of those. The number of the
// group and the session must not be free yet.
func (t *tree) family(all []process) []process {
	return kin(all, func(p *process) bool {
		return p.inside || t.grouped(p) || p.session == t.pid || t.marked(p) || t.knows(p.pid, p.start)
	})
}

// ownStrays are what is in the command's cell or has its markers, and what has
// come of that.
func (t *tree) ownStrays(all []process) []process {
	return kin(all, func(p *process) bool { return p.inside || t.marked(p) })
}

// inGroup are the processes of the command's group.
func (t *tree) inGroup(all []process) (found []process) {
	for i := range all {
		if t.grouped(&all[i]) {
			found = append(found, all[i])
		}
	}
	return found
}

// kin are the processes that match and all that have come of them: whoever's
// parent is one of them is one of them, whatever its group and environment.
func kin(all []process, match func(*process) bool) (found []process) {
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

// grouped reports whether a process is in the command's group.
func (t *tree) grouped(p *process) bool { return p.group == t.pid }

// marked reports whether a process has the command's key in its environment.
func (t *tree) marked(p *process) bool { return slices.Contains(p.keys, t.mark.key) }

// knows reports whether a look has found a process to be of the tree.
func (t *tree) knows(pid int, start string) bool {
	return slices.ContainsFunc(t.known, func(m member) bool { return m.pid == pid && m.start == start })
}
