package sqlitetest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

var seed = flag.Uint64("seed", 0, "the seed of what is random; 0 is a new one")

// NewRandom is the source of a test's random choices. A test that fails prints the seed.
func NewRandom(t *testing.T) *rand.Rand {
	n := *seed
	if n == 0 {
		n = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			fmt.Printf("%s: -seed %d\n", t.Name(), n)
		}
	})
	return rand.New(rand.NewPCG(n, 0))
}
