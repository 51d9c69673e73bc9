package rpc

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestBatchOrder has batches of submits that come after each other. A submit is refused exactly
// where its task would come after itself; all others are behind those they come after, and in the
// order in which they came where they come after none.
func TestBatchOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "submits")
		id := func(i int) uuid.UUID { return uuid.UUID{6: 0x40, 8: 0x80, 15: byte(i + 1)} }
		after := make([][]int, n)
		elements := make([][]byte, n)
		for i := range n {
			after[i] = rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, 3, rapid.ID).Draw(t, "after")
			after[i] = slices.DeleteFunc(after[i], func(other int) bool { return other == i })
			ids := []string{}
			for _, other := range after[i] {
				ids = append(ids, `"`+id(other).String()+`"`)
			}
			elements[i] = fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"id":"%v","after":[%s]}}`, id(i), strings.Join(ids, ","))
		}
		reaches := reach(after)
		o := (&batch{session: &session{}}).order(elements)
		require.Len(t, o.sorted, n)
		place := map[int]int{}
		for at, i := range o.sorted {
			place[i] = at
		}
		require.Len(t, place, n)
		for i := range n {
			if reaches[i][i] && o.cycles[i] == nil {
				require.True(t, comesAfterRefused(o, reaches, i), "%d would come after itself, and is accepted", i)
			}
			if o.cycles[i] != nil {
				require.True(t, reaches[i][i], "%d is refused: %v", i, o.cycles[i])
				continue
			}
			for _, other := range after[i] {
				require.True(t, o.cycles[other] != nil || place[other] < place[i] || reaches[other][i], "%d is behind %d", other, i)
			}
		}
		if slices.Max(lengths(after)) == 0 {
			require.True(t, slices.IsSorted(o.sorted))
		}
	})
}

// reach answers which submits each comes after, by way of others too.
func reach(after [][]int) [][]bool {
	n := len(after)
	all := make([][]bool, n)
	for i := range n {
		all[i] = make([]bool, n)
		for _, other := range after[i] {
			all[i][other] = true
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				all[i][j] = all[i][j] || all[i][k] && all[k][j]
			}
		}
	}
	return all
}

// comesAfterRefused reports whether a submit comes after one that is refused, so that it is refused
// too when it is handled.
func comesAfterRefused(o *batchOrder, reaches [][]bool, i int) bool {
	for other := range o.cycles {
		if reaches[i][other] {
			return true
		}
	}
	return false
}

func lengths(all [][]int) (n []int) {
	for _, one := range all {
		n = append(n, len(one))
	}
	return n
}
