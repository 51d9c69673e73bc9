package plan_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// nodes are those of tasks, by their ids.
type nodes map[uuid.UUID]*plan.Node

// of is the node of a task.
func (n nodes) of(id uuid.UUID) *plan.Node {
	if n[id] == nil {
		n[id] = &plan.Node{ID: id}
	}
	return n[id]
}

// What Stranded counts is what is left when all tasks that can run have run, up to a time.
// Where it counts all tasks, none can.
func TestStrandedAreThoseThatAreLeft(t *testing.T) {
	foreign := uuid.UUID{0: 1} // a task of another queue, that never runs
	cannotRun := func(id uuid.UUID) bool { return id == foreign }
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		nodes := nodes{}
		for i := range rapid.IntRange(1, 12).Draw(t, "tasks") {
			terms := m.terms()
			if m.oneIn(8, "after a foreign task") {
				terms.After = append(terms.After, schema.Dependency{ID: foreign})
			}
			task := &modelled{Task: plan.Task{
				ID: uuid.UUID{15: byte(i + 1)}, Type: []string{"here", "here", "here", "elsewhere"}[m.below(4, "type")],
				Priority: int8(m.below(3, "priority")), Order: uint64(i + 1), Conditions: terms,
			}}
			m.planner.Add(&task.Task, m.now, func(i int) *plan.Node { return nodes.of(terms.After[i].ID) })
			m.all = append(m.all, task)
		}
		for range m.below(3, "paused groups") {
			m.planner.SetGroup([]string{"g0", "g1", "g2"}[m.below(groups, "group")], plan.Settings{Paused: true}, m.now)
		}
		if m.oneIn(10, "everything") {
			m.planner.Pause(true)
		}
		until := m.now + schema.Time(m.below(6, "until"))
		takes := plan.Taker{Types: func(typ string) bool { return typ == "here" }, Labels: map[string]string{"p0": "yes"}}
		before, all := m.planner.Stranded(until, takes, cannotRun), m.planner.Len()
		ran := 0
		for ; m.now <= until; m.now++ {
			m.planner.Advance(m.now, 1000)
			end(m.planner, nodes)
			for task := m.peek(takes); task != nil; task = m.peek(takes) {
				ran++
				m.planner.Take(task, m.now)
				m.planner.Release(task, m.now)
				m.planner.Ended(task.ID, nodes[task.ID], []schema.State{schema.Completed, schema.Failed}[m.below(2, "outcome")])
				end(m.planner, nodes)
			}
		}
		require.Equal(t, m.planner.Len(), m.planner.Stranded(until, takes, cannotRun))
		require.True(t, before < all || ran == 0, "all tasks were said to be stranded, and %d have run", ran)
	})
}

// end ends the tasks that must end because of their conditions.
func end(p *plan.Planner, all nodes) {
	for {
		ending := p.Changes().Ending
		if len(ending) == 0 {
			return
		}
		for _, e := range ending {
			p.Ended(e.Task.ID, all[e.Task.ID], schema.Failed)
		}
	}
}
