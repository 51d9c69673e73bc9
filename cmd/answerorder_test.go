package cmd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever the order of the answers, they are printed in that of the lines.
func TestAnswersArePrintedInTheOrderOfTheLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 20).Draw(t, "n")
		places := make([]int, n)
		for i := range places {
			places[i] = i
		}
		answered := rapid.Permutation(places).Draw(t, "answered")
		missing := rapid.IntRange(0, n).Draw(t, "missing") // they never come
		var o answerOrder
		var printed, want strings.Builder
		came := make([]bool, n)
		for _, place := range answered[missing:] {
			came[place] = true
			printed.Write(o.add(place, fmt.Appendf(nil, "%d ", place)))
		}
		if missing == 0 {
			require.Empty(t, o.waiting)
		}
		printed.Write(o.rest())
		for place, did := range came {
			if did {
				fmt.Fprintf(&want, "%d ", place)
			}
		}
		require.Equal(t, want.String(), printed.String())
	})
}

// One answer that does not come holds back a bounded number.
func TestAMissingAnswerHoldsBackABoundedNumber(t *testing.T) {
	var o answerOrder
	for place := 1; place <= mostUnprinted; place++ {
		require.Empty(t, o.add(place, []byte("x")))
	}
	require.Len(t, o.add(mostUnprinted+1, []byte("x")), mostUnprinted+1)
	require.Equal(t, "late", string(o.add(0, []byte("late"))))
	require.Equal(t, "next", string(o.add(mostUnprinted+2, []byte("next"))))
}
