package plan

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// Tasks that leave before those end that they come after take no memory.
func TestNothingIsKeptOfTasksThatLeft(t *testing.T) {
	p := New()
	first, second := uuid.UUID{1}, uuid.UUID{2}
	on := &schema.Conditions{After: []schema.Dependency{{ID: first}, {ID: second}}, ExpiresAt: 10}
	stays := &Task{ID: uuid.UUID{3}, Conditions: on}
	p.Add(stays, 0, func(int) bool { return true })
	for i := range 10_000 {
		task := &Task{ID: uuid.UUID{4, byte(i), byte(i >> 8)}, Order: uint64(i + 1), Conditions: on}
		p.Add(task, 0, func(int) bool { return true })
		if i%2 == 0 {
			p.Suspend(task)
		}
		p.Remove(task)
		require.LessOrEqual(t, len(p.dependents[first].tasks), 3)
	}
	require.Same(t, stays, p.dependents[second].tasks[0])
	for p.Advance(10, 1) {
	}
	require.Empty(t, p.dependents)
	require.False(t, p.HasDependents(first))
}
