package sqlite

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCutFile opens a store's file that ends too early. One of no bytes is a
// new store.
func TestCutFile(t *testing.T) {
	t.Parallel()
	d, random := newHarmed(t), newRandom(t)
	for n := 1; n < len(d.whole); n++ {
		if *thorough || random.IntN(damageShare/4) == 0 {
			require.Empty(t, d.try(t.Context(), d.whole[:n]), "cut to %d of %d bytes", n, len(d.whole))
		}
	}
}

// TestFlippedBit opens a store's file in which one bit is not as it was
// written: it is refused, or what is shown is as it was.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	d, random := newHarmed(t), newRandom(t)
	found := map[string]int{}
	for bit := range len(d.whole) * 8 {
		if !*thorough && random.IntN(damageShare) != 0 {
			continue
		}
		file := bytes.Clone(d.whole)
		file[bit/8] ^= 1 << (bit % 8)
		if wrong := d.try(t.Context(), file); wrong != "" {
			if found[wrong[:min(len(wrong), 20)]]++; found[wrong[:min(len(wrong), 20)]] <= 3 {
				t.Errorf("bit %d of page %d, at %d in it: %s", bit%8, bit/8/smallPage+1, bit/8%smallPage, wrong)
			}
		}
	}
	require.Empty(t, found, fmt.Sprint(len(d.whole), " bytes"))
}
