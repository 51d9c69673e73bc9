package kit

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// Trial is submits that are looked at, and not recorded. Those that come behind them find their
// tasks as if they were there. The zero value is ready, and nil is a trial of none. It needs the
// store's lock.
type Trial struct {
	members  map[uuid.UUID]*trialed
	children map[uuid.UUID]int     // of any task, among the members
	keys     map[string][]*trialed // by the dedupe key
}

// trialed is a task that would be new.
type trialed struct {
	record *executor.Record
	task   *schema.Task // as it would be, where that is known yet
	node   plan.Node
	depth  int
}

// Add adds a task that would be new, with how many tasks would be above it.
func (t *Trial) Add(r *executor.Record, depth int) {
	if t.members == nil {
		t.members, t.children, t.keys = map[uuid.UUID]*trialed{}, map[uuid.UUID]int{}, map[string][]*trialed{}
	}
	m := &trialed{record: r, node: plan.Node{ID: r.ID}, depth: depth}
	t.members[r.ID] = m
	if parent := executor.ParentOf(r.Conditions); parent != uuid.Nil {
		t.children[parent]++
	}
	if by := DedupeOf(r.Conditions); by != nil {
		t.keys[by.Key] = append(t.keys[by.Key], m)
	}
}

// Becomes says how a task would be.
func (t *Trial) Becomes(task *schema.Task) { t.members[task.ID].task = task }

// Task is how the task with an id would be, or nil.
func (t *Trial) Task(id uuid.UUID) *schema.Task { return t.members[id].task }

// Len is how many tasks would be new.
func (t *Trial) Len() int {
	if t == nil {
		return 0
	}
	return len(t.members)
}

// Has reports whether a task would be new.
func (t *Trial) Has(id uuid.UUID) bool { return t != nil && t.members[id] != nil }

// Same reports whether a task that would be new has the type and the input of a submit.
func (t *Trial) Same(asked *executor.Record) bool {
	return t.members[asked.ID].record.Same(asked.Type, asked.Input)
}

// Newest is the newest of those with a dedupe key, or the nil UUID.
func (t *Trial) Newest(key string) uuid.UUID {
	if t == nil || len(t.keys[key]) == 0 {
		return uuid.Nil
	}
	return t.keys[key][len(t.keys[key])-1].record.ID
}

// Replaced is how many there are with a dedupe key.
func (t *Trial) Replaced(key string) int {
	if t == nil {
		return 0
	}
	return len(t.keys[key])
}

// Depth is how many tasks would be above one that would be new.
func (t *Trial) Depth(id uuid.UUID) int { return t.members[id].depth }

// Children is how many more children a task would have.
func (t *Trial) Children(parent uuid.UUID) int {
	if t == nil {
		return 0
	}
	return t.children[parent]
}

// Before is a task that would be new as one that another one comes after.
func (t *Trial) Before(id uuid.UUID) Before {
	m := t.members[id]
	if m.task != nil && m.task.State.Final() {
		return Before{State: m.task.State}
	}
	return Before{State: schema.Queued, Node: &m.node}
}

// Refused reports whether one of some answers is an error.
func Refused(answers []executor.Submitted) bool {
	for i := range answers {
		if answers[i].Err != nil {
			return true
		}
	}
	return false
}
