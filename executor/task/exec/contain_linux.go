package exec

import "github.com/jobline/jobline/schema"

// containment is how processes are kept together.
func (h *host) containment() string {
	h.prepare()
	switch {
	case h.cells.yard != nil:
		return schema.ContainmentCgroup
	case h.scan.proc.sight() == seesNobody:
		return schema.ContainmentGroup
	default:
		return schema.ContainmentScan
	}
}

// tell logs, once, how processes are kept together, and what is weaker for it.
func (h *host) tell() {
	sight := h.scan.proc.sight()
	if h.cells.yard != nil {
		h.log.Info("each command has a control group of its own, whose processes are killed together",
			"containment", schema.ContainmentCgroup, "path", h.cells.yard.path)
		if sight == seesNobody {
			h.log.Info("/proc is missing, or is of another PID namespace: a process that changes its control group is not found")
		}
		return
	}
	if sight == seesNobody {
		h.log.Warn("/proc is missing, or is of another PID namespace, and there are no control groups: "+
			"only a command's process group is stopped with it, and the grace ends with its first process",
			"containment", schema.ContainmentGroup, "reason", h.cells.why)
		return
	}
	h.log.Info("commands have no control groups: their processes are found by session, environment and parent",
		"containment", schema.ContainmentScan, "reason", h.cells.why)
	if sight == seesOwn {
		h.log.Info("/proc hides processes of other users: where one of a command becomes another user's it is neither stopped nor told of as leaked")
	}
}
