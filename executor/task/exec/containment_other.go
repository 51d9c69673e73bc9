//go:build unix && !linux

package exec

import "github.com/jobline/jobline/schema"

// containment tells how the processes of commands are kept together.
func (*launcher) containment() string { return schema.ContainmentGroup }

// logContainment logs nothing: there is one way only.
func (*launcher) logContainment() {}
