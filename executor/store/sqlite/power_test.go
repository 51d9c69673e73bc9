package sqlite

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

const (
	powerRounds = 28 // and two
	// mostCalls is how many calls of the file system a power cut may wait for:
	// enough for some checkpoints.
	mostCalls = 3000
)

// TestPowerCut loses all that was not synced. With every commit synced nothing
// that was told is lost; without, something is, or this test sees nothing.
func TestPowerCut(t *testing.T) {
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		t.Run(synchronous, func(t *testing.T) {
			random := newRandom(t)
			var path string
			var g *ledger
			for i := range 2 + powerRounds/slower {
				if i%roundsPerFile == 0 {
					path, g = filepath.Join(t.TempDir(), "tasks.db"), newLedger()
				}
				cutOnce(t, path, g, random, synchronous)
				forgetBegun(t, path)
				s, err := Open(t.Context(), Options{Path: path})
				require.NoError(t, err)
				wrong, err := g.check(t.Context(), s)
				require.NoError(t, err)
				require.NoError(t, s.Close())
				if synchronous == "NORMAL" && len(wrong) > 0 {
					return // as it must be
				}
				require.Empty(t, wrong)
			}
			require.Equal(t, "FULL", synchronous, "nothing was lost without syncs")
		})
	}
}

// cutOnce works with a store until the power is cut, in the middle of a call.
func cutOnce(t *testing.T, path string, g *ledger, random *rand.Rand, synchronous string) {
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: random.Uint64()})
	s, err := Open(t.Context(), Options{Path: path, VFS: v.Name(), synchronous: synchronous})
	require.NoError(t, err)
	ctx, dark := context.WithCancel(t.Context())
	defer dark()
	var left atomic.Int64
	left.Store(1 + int64(mostCalls*random.Float64()*random.Float64()))
	v.Hook(func(faultvfs.Op, faultvfs.Kind) {
		if left.Add(-1) == 0 {
			v.Cut()
			dark()
		}
	})
	l := &load{store: s, tell: func(f fact) {
		if f.what != factRefused { // nobody knows of what was on its way
			g.note(f)
		}
	}}
	l.run(ctx, random)
	require.Error(t, s.Close())
}
