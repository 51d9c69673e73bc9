package exec

import "github.com/jobline/jobline/schema"

// containment tells how the processes of commands are kept together. To find out
// it makes the control group of all commands. The guard comes with the first one.
func (h *launcher) containment() string {
	h.openCgroups()
	switch {
	case h.cgroups.serverCgroup != nil:
		return schema.ContainmentCgroup
	case h.scan.proc.visibility() == noneVisible:
		return schema.ContainmentGroup
	default:
		return schema.ContainmentScan
	}
}

// logContainment logs how processes are kept together, and which weaknesses
// that has.
func (h *launcher) logContainment() {
	visibility := h.scan.proc.visibility()
	if h.cgroups.serverCgroup != nil {
		h.log.Info("each command has a control group of its own, whose processes are killed together",
			"containment", schema.ContainmentCgroup, "path", h.cgroups.serverCgroup.path)
		if visibility == noneVisible {
			h.log.Info("/proc is missing, or is of another PID namespace: a process that changes its control group is not found")
		}
		return
	}
	if visibility == noneVisible {
		h.log.Warn("/proc is missing, or is of another PID namespace, and there are no control groups: "+
			"only a command's process group is stopped with it, and the grace ends with its first process",
			"containment", schema.ContainmentGroup, "reason", h.cgroups.why)
		return
	}
	h.log.Info("commands have no control groups: their processes are found by session, environment and parent",
		"containment", schema.ContainmentScan, "reason", h.cgroups.why)
	if visibility == ownVisible {
		h.log.Info("/proc hides processes of other users: where one of a command becomes another user's it is neither stopped nor told of as leaked")
	}
}
