package kit_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor/store/kit"
)

// TestRingAgainstAString compares a ring with all that was written to it since
// it was begun anew.
func TestRingAgainstAString(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.IntRange(1, 9).Draw(rt, "limit")
		var ring kit.Ring
		var all string
		begun := int64(0) // the offset of its first byte
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				text := rapid.StringMatching("[a-z]{0,25}").Draw(rt, "text")
				ring.Write([]byte(text), limit)
				all += text
			},
			"restart": func(rt *rapid.T) {
				begun, all = rapid.Int64Range(0, 30).Draw(rt, "offset"), ""
				ring.Restart(begun)
			},
			"": func(rt *rapid.T) {
				total := begun + int64(len(all))
				first := total - int64(min(len(all), limit))
				require.Equal(rt, [2]int64{first, total}, [2]int64{ring.First(), ring.Total()})
				for offset := first; offset <= total; offset++ {
					for end := offset; end <= total; end++ {
						require.Equal(rt, all[offset-begun:end-begun], string(ring.Read(offset, end, limit)))
					}
				}
			},
		})
	})
}
