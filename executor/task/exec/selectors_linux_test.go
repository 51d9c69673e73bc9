package exec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKin: children are found before and behind their parents, at any depth.
func TestKin(t *testing.T) {
	all := []process{
		{pid: 9, parent: 8}, {pid: 8, parent: 7}, {pid: 2, parent: 1}, {pid: 7, parent: 1, group: 7},
		{pid: 10, parent: 9}, {pid: 11, parent: 2}, {pid: 12, parent: 1, group: 7}, {pid: 13, parent: 12},
		{pid: 14, parent: 1}, {pid: 15, parent: 14},
	}
	tree := tree{pid: 7, treeSnapshot: treeSnapshot{known: []processHandle{{pid: 14, start: "x"}}}}
	pids := func(found []process) (pids []int) {
		for _, p := range found {
			pids = append(pids, p.pid)
		}
		return pids
	}
	require.ElementsMatch(t, []int{7, 8, 9, 10, 12, 13}, pids(tree.wholeTree(all)))
	all[8].start = "x"
	require.ElementsMatch(t, []int{7, 8, 9, 10, 12, 13, 14, 15}, pids(tree.wholeTree(all)))
	require.Equal(t, []int{7, 12}, pids(tree.inProcessGroup(all)))
	require.Empty(t, tree.identified(all))
	tree.mark.key = "t"
	all[2].keys = []string{"s", "t"}
	require.Equal(t, []int{2, 11}, pids(tree.identified(all)))
	require.Empty(t, withDescendants(all, func(*process) bool { return false }))
}
