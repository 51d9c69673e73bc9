package exec

import "slices"

// selector picks some of all processes.
type selector func(all []process) []process

// wholeTree selects the tree: its family, those that an earlier scan has found, and
// all descendants of these. It is the terminator's, which has the earlier scans. The
// first process must not have been reaped.
func (t *tree) wholeTree(all []process) []process {
	return withDescendants(all, func(p *process) bool { return t.isFamily(p) || t.isKnown(p.pid, p.start) })
}

// family selects the processes in the command's control group, process group and
// session, those with its key in their environment, and all descendants of these. The
// first process must not have been reaped.
func (t *tree) family(all []process) []process { return withDescendants(all, t.isFamily) }

func (t *tree) isFamily(p *process) bool {
	return p.inCgroup || t.hasGroup(p) || p.session == t.pid || t.hasMark(p)
}

// identified selects the processes in the command's control group, those with
// its key in their environment, and all descendants of these.
func (t *tree) identified(all []process) []process {
	return withDescendants(all, func(p *process) bool { return p.inCgroup || t.hasMark(p) })
}

// inProcessGroup selects the processes of the command's process group.
func (t *tree) inProcessGroup(all []process) (found []process) {
	for i := range all {
		if t.hasGroup(&all[i]) {
			found = append(found, all[i])
		}
	}
	return found
}

// withDescendants returns the processes that match, and all descendants of
// them, whatever their groups and environments.
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

// hasGroup reports whether a process is in the command's process group.
func (t *tree) hasGroup(p *process) bool { return p.group == t.pid }

// hasMark reports whether a process has the command's key in its environment.
func (t *tree) hasMark(p *process) bool { return slices.Contains(p.keys, t.mark.key) }

// isKnown reports whether an earlier scan has found a process to be of the
// tree.
func (t *tree) isKnown(pid int, start string) bool {
	return slices.ContainsFunc(t.known, func(m processHandle) bool { return m.pid == pid && m.start == start })
}
