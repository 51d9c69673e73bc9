package nats

import (
	"fmt"
	"strings"
	"time"

	"github.com/jobline/jobline/executor"
)

// Role says which changes a process may write to the log. Each role has a subject of its own, so permissions of
// NATS can hold a user to a role. The copies hold it, too: a change that the role of its writer does not permit
// changes nothing.
type Role string

const (
	RoleExecutor Role = "executor" // writes everything
	RoleDriver   Role = "driver"   // submits, cancels and updates tasks, and makes schedules
	RoleViewer   Role = "viewer"   // writes nothing, and is not known to the others
)

// Roles are all roles.
var Roles = []Role{RoleExecutor, RoleDriver, RoleViewer}

const (
	// mostDriverMessage is the longest message of a driver, in bytes. All processes keep a message in memory
	// until its last piece has come. A driver that writes a longer one is removed. No request is that long.
	mostDriverMessage = 256 << 20
	// mostDriverLease is how long a driver may be silent at most before it is given up.
	mostDriverLease = time.Hour
)

// permits reports whether the role may write a change.
func (r Role) permits(c *change) bool {
	switch r {
	case RoleExecutor:
		return true
	case RoleDriver:
		return c.Hello != nil || c.Beat || c.Leave || c.Submit != nil || c.DryRun != nil || c.Cancel != nil || c.Update != nil || c.Schedules != nil
	}
	return false
}

// distrust checks a change of a driver. Its writer may have checked nothing, and a number out of range would end
// every copy. The driver's claim that an id is new is ignored.
func (c *change) distrust() error {
	for _, all := range [][]submission{c.Submit, c.DryRun} {
		for i := range all {
			all[i].NewID = false
			asked := all[i].submission(false)
			if err := asked.Check(); err != nil {
				return err
			}
		}
	}
	if c.Update != nil {
		return c.Update.update().Check()
	}
	return nil
}

// refusal says why the role may not write a change.
func (r Role) refusal() error {
	may := "only reads the queue"
	if r == RoleDriver {
		may = "submits, cancels and updates tasks, and makes schedules"
	}
	return fmt.Errorf("%w: this server is a %s of its namespace, which %s", executor.ErrNotPermitted, r, may)
}

// subject is that of the messages of a role.
func (a Address) subject(r Role) string { return "jl." + a.Namespace + "." + string(r) }

// logSubjects are the subjects of the log, sorted.
func (a Address) logSubjects() []string {
	return []string{a.subject(RoleDriver), a.subject(RoleExecutor)}
}

// roleOf is the role that a subject of the log is of.
func roleOf(subject string) Role { return Role(subject[strings.LastIndexByte(subject, '.')+1:]) }
