package sqlite

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	// roundsPerFile bounds a file, so that looking at all of it stays quick.
	roundsPerFile = 10
	mostFacts     = 3000
)

// TestKilled kills a process with a store at random moments: what it was told
// must be there.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts and kills processes for seconds")
	}
	random := newRandom(t)
	for done := 0; done < *rounds; {
		path, g := filepath.Join(t.TempDir(), "tasks.db"), newLedger()
		for i := 0; i < roundsPerFile && done < *rounds; i++ {
			killOnce(t, path, g, random, false)
			if done++; i+1 < roundsPerFile && done < *rounds && random.IntN(3) == 0 {
				continue // the next process meets what this one has left
			}
			require.NoError(t, recovered(t, path, g))
		}
	}
}

// killOnce kills a process that works with a store after it has told a random
// number of facts, which may be none.
func killOnce(t *testing.T, path string, g *ledger, random *rand.Rand, lossy bool) {
	left := int(mostFacts * random.Float64() * random.Float64())
	for _, f := range killChild(t, childOrder{Path: path, Seed: random.Uint64(), Lossy: lossy}, func(fact) bool {
		left--
		return left < 0
	}) {
		g.note(f)
	}
}

// recovered opens a store after a crash, checks it, and finds it the same when
// it is opened once more.
func recovered(t *testing.T, path string, g *ledger) error {
	t.Helper()
	var before map[string]string
	for range 2 {
		s, err := Open(t.Context(), Options{Path: path})
		if err != nil {
			return err
		}
		defer s.Close() // where the test fails; synctest waits for the store's goroutine
		wrong, err := g.check(t.Context(), s)
		require.NoError(t, err)
		require.Empty(t, wrong)
		found, err := everything(t.Context(), s)
		require.NoError(t, err)
		now := map[string]string{}
		for id, text := range texts(found) {
			now[id.String()] = text
		}
		if before != nil {
			require.Equal(t, before, now, "opened once more")
		}
		before = now
		if err := s.Close(); err != nil {
			return err
		}
	}
	return nil
}
