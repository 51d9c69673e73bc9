package plan

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// Nothing is kept of tasks that leave before those end that they come after.
func TestNothingIsKeptOfTasksThatLeft(t *testing.T) {
	p := New()
	nodes := []*Node{{ID: uuid.UUID{1}}, {ID: uuid.UUID{2}}, {ID: uuid.UUID{3}}}
	before := func(place int) *Node { return nodes[place] }
	dependents := func(n *Node) (all []*Task) {
		for task := range n.dependents() {
			all = append(all, task)
		}
		return all
	}
	on := &schema.Conditions{ExpiresAt: 10}
	for _, n := range nodes {
		on.After = append(on.After, schema.Dependency{ID: n.ID})
	}
	stays := &Task{ID: uuid.UUID{4}, Conditions: on}
	p.Add(stays, 0, before)
	for i := range 100 {
		task := &Task{ID: uuid.UUID{5, byte(i)}, Order: uint64(i + 1), Conditions: on}
		p.Add(task, 0, before)
		if i%2 == 0 {
			p.Suspend(task)
		}
		require.Equal(t, []*Task{stays, task}, dependents(nodes[i%3]))
		p.Remove(task)
		for _, n := range nodes {
			require.Equal(t, []*Task{stays}, dependents(n))
		}
	}
	for p.Advance(10, 1) {
	}
	require.Nil(t, p.nodes)
	require.Empty(t, slices.Concat(dependents(nodes[0]), dependents(nodes[1]), dependents(nodes[2])))
}
