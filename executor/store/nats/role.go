package nats

import (
	"fmt"
	"reflect"

	"github.com/jobline/jobline/executor"
)

// Role says which changes a process may write to the log. Each role has a subject of its own, so that the
// permissions of NATS can hold a user to a role. The copies check the role, too: a change that its writer's
// role does not permit has no effect.
type Role string

const (
	RoleExecutor Role = "executor" // writes everything
	RoleDriver   Role = "driver"   // submits, cancels and updates tasks, and makes schedules
	RoleViewer   Role = "viewer"   // writes nothing, and is not a peer of the others
)

// Roles are all roles, the one that may write most first.
var Roles = []Role{RoleExecutor, RoleDriver, RoleViewer}

// driverFields are the fields of a change that a driver may set.
var driverFields = map[string]bool{
	"Hello": true, "Beat": true, "Seen": true, "Leave": true, "Submit": true, "All": true, "DryRun": true, "Cancel": true, "Update": true, "Schedules": true,
}

// permits reports whether the role may write a change.
func (r Role) permits(c *change) bool {
	switch r {
	case RoleExecutor:
		return true
	case RoleDriver:
		return c.setsOnly(driverFields)
	}
	return false
}

// setsOnly reports whether at least one of these fields is set, and no other one: a permitted change must not
// bring along one that is not permitted.
func (c *change) setsOnly(fields map[string]bool) (some bool) {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			continue
		}
		if some = fields[v.Type().Field(i).Name]; !some {
			return false
		}
	}
	return some
}

// refusal is the error for a change that the role may not write.
func (r Role) refusal() error {
	may := "only reads the queue"
	if r == RoleDriver {
		may = "submits, cancels and updates tasks, and makes schedules"
	}
	return fmt.Errorf("%w: this server is a %s of its namespace, which %s: ask a server whose --store-role is executor", executor.ErrNotPermitted, r, may)
}

// subject is the subject to which processes of a role write.
func (a Address) subject(r Role) string { return "jl." + a.Namespace + "." + string(r) }

// logSubjects are the subjects of the log, sorted.
func (a Address) logSubjects() []string {
	return []string{a.subject(RoleDriver), a.subject(RoleExecutor)}
}

// roleOf is the role of a subject of the log, or "" for any other subject. The stream may have entries of other
// subjects: a user that may make a consumer of another stream can let it deliver to a subject of this one, and
// such an entry keeps its original subject.
func (a Address) roleOf(subject string) Role {
	for _, r := range []Role{RoleDriver, RoleExecutor} {
		if subject == a.subject(r) {
			return r
		}
	}
	return ""
}
