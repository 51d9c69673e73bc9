package sqlite

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"
)

// How hard the tests try; the defaults are of an ordinary run.
var (
	rounds   = flag.Int("rounds", 2+8/slower, "how often a process with a store is killed")
	soak     = flag.Duration("soak", 2*time.Second, "how long random load, crashes and faults follow each other")
	seed     = flag.Uint64("seed", 0, "the seed of what is random; 0 is a new one")
	thorough = flag.Bool("thorough", false, "damage every bit and cut at every length, and make every call fail in every way")
)

// childVar makes the test binary a program with a store, which the tests kill.
const childVar = "SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVar); text != "" {
		runChild(text)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// newRandom is what a test is random by. The seed is told where it fails.
func newRandom(t *testing.T) *rand.Rand {
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
