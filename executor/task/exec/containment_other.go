//go:build unix && !linux

package exec

import "github.com/jobline/jobline/schema"

// containment is how processes are kept together.
func (*launcher) containment() string { return schema.ContainmentGroup }

// tell has nothing to tell: there is one way only.
func (*launcher) logContainment() {}
