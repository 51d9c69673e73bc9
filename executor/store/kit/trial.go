package kit

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// Trial is submits of a dry run: later ones find the tasks of earlier ones as if they were there. The zero
// value is ready, and a nil Trial is empty. The store's lock protects it.
type Trial struct {
	members  map[uuid.UUID]*trialed
	children map[uuid.UUID]int     // by parent: how many members are its children
	keys     map[string][]*trialed // by the dedupe key
}

// trialed is a task that would be new.
type trialed struct {
	record *executor.Record
	task   *schema.Task // as it would be; nil until Becomes
	node   plan.Node
	depth  int
}

// Add adds a task that would be new. depth is how many tasks would be above it.
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

// Becomes sets how an added task would be.
func (t *Trial) Becomes(task *schema.Task) { t.members[task.ID].task = task }

// Task is how an added task would be, or nil if that is not known yet.
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

// Newest is the newest task of the trial with a dedupe key, or uuid.Nil.
func (t *Trial) Newest(key string) uuid.UUID {
	if t == nil || len(t.keys[key]) == 0 {
		return uuid.Nil
	}
	return t.keys[key][len(t.keys[key])-1].record.ID
}

// Replaced is how many tasks of the trial have a dedupe key.
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

// Before is a task of the trial as a dependency of another task.
func (t *Trial) Before(id uuid.UUID) Before {
	m := t.members[id]
	if m.task != nil && m.task.State.Final() {
		return Before{State: m.task.State}
	}
	return Before{State: schema.Queued, Node: &m.node}
}

// Refused reports whether any of the answers is an error.
func Refused(answers []executor.Submitted) bool {
	for i := range answers {
		if answers[i].Err != nil {
			return true
		}
	}
	return false
}
