package sqlite

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// TestSoak has a store live through random load, kills, power cuts, faults and
// restarts, and checks it after each.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("it goes on for -soak")
	}
	random := newRandom(t)
	for begun := time.Now(); time.Since(begun) < *soak; {
		path, g := filepath.Join(t.TempDir(), "tasks.db"), newLedger()
		for i := 0; i < roundsPerFile && time.Since(begun) < *soak; i++ {
			switch random.IntN(4) {
			case 0:
				killOnce(t, path, g, random, false)
			case 1:
				killOnce(t, path, g, random, true)
			case 2:
				cutOnce(t, path, g, random, "FULL")
			default:
				failOnce(t, path, g, random)
			}
			require.NoError(t, recovered(t, path, g))
		}
	}
}

// failOnce works with a store in which calls fail for a while.
func failOnce(t *testing.T, path string, g *ledger, random *rand.Rand) {
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: random.Uint64()})
	s, err := Open(t.Context(), Options{Path: path, VFS: v.Name(), window: smallWindow})
	require.NoError(t, err)
	c := sweepCases[random.IntN(len(sweepCases))]
	v.Fail(c.op, c.kind, c.err, 1+random.IntN(100), 2+random.IntN(500), 3+random.IntN(500))
	ctx, enough := context.WithCancel(t.Context())
	defer enough()
	var left atomic.Int64
	left.Store(random.Int64N(mostFacts))
	l := &load{store: s, tell: func(f fact) {
		if f.what == factAsked { // told before it is recorded, while nothing can be
			return
		}
		g.note(f)
		if left.Add(-1) < 0 {
			enough()
		}
	}}
	l.run(ctx, random)
	v.Heal()
	require.Eventually(t, func() bool { return s.Info().Fault == "" }, time.Minute, time.Millisecond)
	require.NoError(t, s.Close())
}
