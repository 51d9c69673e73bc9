package plan

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Turns are what a sorted list is, in whatever order tasks come and leave.
func TestTurnsAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		turns := turns{base: rapid.SampledFrom([]uint32{0, 1<<31 - 5, 1<<32 - 5}).Draw(t, "base")}
		var sorted []*Task
		order := uint64(1000)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				order++
				task := &Task{Priority: int8(rapid.IntRange(0, 1).Draw(t, "priority")), Order: order}
				if rapid.IntRange(0, 4).Draw(t, "early") == 0 {
					task.Order -= 1000
				}
				turns.push(task)
				at, _ := slices.BinarySearchFunc(sorted, task, func(a, b *Task) int {
					return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Order, b.Order))
				})
				sorted = slices.Insert(sorted, at, task)
			},
			"next": func(t *rapid.T) {
				if len(sorted) > 0 {
					turns.remove(sorted[0])
					sorted = sorted[1:]
				}
			},
			"remove": func(t *rapid.T) {
				if len(sorted) > 0 {
					i := rapid.IntRange(0, len(sorted)-1).Draw(t, "which")
					turns.remove(sorted[i])
					sorted = slices.Delete(sorted, i, i+1)
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(sorted), turns.len())
				if len(sorted) > 0 {
					require.Same(t, sorted[0], turns.first())
				}
				require.ElementsMatch(t, sorted, slices.Collect(turns.each))
			},
		})
	})
}

// However many tasks have come and left, what is kept is of those that are there.
func TestTurnsKeepNothingOfTasksThatLeft(t *testing.T) {
	var turns turns
	stays := new(Task)
	turns.push(stays)
	for i := range 10_000 {
		task := &Task{Order: uint64(2*i + 1)}
		turns.push(task)
		turns.push(&Task{Order: uint64(2*i + 2)})
		turns.remove(task)
		turns.remove(turns.line[len(turns.line)-1])
		require.LessOrEqual(t, cap(turns.line), leastTurns)
	}
	var burst []*Task
	for i := range 1000 {
		burst = append(burst, &Task{Order: uint64(100_000 + i)})
		turns.push(burst[i])
	}
	require.Equal(t, 1001, turns.len())
	for _, task := range burst {
		turns.remove(task)
	}
	turns.remove(stays)
	require.Zero(t, cap(turns.line))
}
