package history

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// The keys and the groups of a history.
var (
	keys       = []string{"red", "green"}
	groupNames = []string{"one", "two"}
)

// Groups are the limits of groups that the server of Run must have.
func Groups() map[string]int { return map[string]int{groupNames[0]: 1, groupNames[1]: 2} }

// conditions adds what a task waits for, or of which task it is a part.
func (p *player) conditions(s *schema.SubmitParams) {
	switch p.random.IntN(5) {
	case 0:
		s.DelayMs = 1 + p.random.Int64N(4)
	case 1:
		for range 1 + p.random.IntN(3) {
			id, ok := p.pool.randomAccepted(p.random)
			if ok && !slices.ContainsFunc(s.After, func(d schema.Dependency) bool { return d.ID == id }) {
				s.After = append(s.After, schema.Dependency{ID: id, On: schema.On(p.random.IntN(3))})
			}
		}
	case 2:
		s.Key = keys[p.random.IntN(len(keys))]
	case 3:
		s.Group = groupNames[p.random.IntN(len(groupNames))]
	default:
		s.Parent, _ = p.pool.randomAccepted(p.random)
	}
}

// submitOf is the params of a submit of the task; all submits of it have the same conditions. It is
// nil where none was accepted.
func (t *task) submitOf() *schema.SubmitParams {
	if len(t.submits) == 0 {
		return nil
	}
	return t.submits[0].params.(*schema.SubmitParams)
}

// waits reports whether the task may have waited for more than a slot.
func (t *task) waits() bool {
	p := t.submitOf()
	return p == nil || p.DelayMs > 0 || len(p.After) > 0 || p.Key != "" || p.Group != ""
}

// above are the tasks of which a task is a part, the nearest first.
func (x *index) above(t *task) (all []*task) {
	for p := t.submitOf(); p != nil && p.Parent != uuid.Nil; p = t.submitOf() {
		if t = x.tasks[p.Parent]; t == nil {
			break
		}
		all = append(all, t)
	}
	return all
}

// mayBeCancelled reports whether a cancel of the task, or of one of which it is a part, was sent.
func (x *index) mayBeCancelled(t *task) bool {
	return t.cancelled || slices.ContainsFunc(x.above(t), func(a *task) bool { return a.cancelled })
}
