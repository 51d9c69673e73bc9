package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// sweepCase is a kind of call that fails.
type sweepCase struct {
	op   faultvfs.Op
	kind faultvfs.Kind
	err  error
}

var sweepCases = []sweepCase{
	{faultvfs.Write, faultvfs.WAL, sqlite3.IOERR_WRITE},
	{faultvfs.Write, faultvfs.WAL, sqlite3.FULL},
	{faultvfs.Write, faultvfs.Main, sqlite3.IOERR_WRITE},
	{faultvfs.Write, faultvfs.Main, sqlite3.FULL},
	{faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC},
	{faultvfs.Sync, faultvfs.Main, sqlite3.IOERR_FSYNC},
	{faultvfs.Truncate, faultvfs.WAL, sqlite3.IOERR_TRUNCATE},
	{faultvfs.Truncate, faultvfs.Main, sqlite3.IOERR_TRUNCATE},
	{faultvfs.Read, faultvfs.WAL, sqlite3.IOERR_READ},
	{faultvfs.Read, faultvfs.Main, sqlite3.IOERR_READ},
	{faultvfs.Open, faultvfs.WAL, sqlite3.CANTOPEN},
	{faultvfs.Open, faultvfs.Main, sqlite3.CANTOPEN},
	{faultvfs.Delete, faultvfs.WAL, sqlite3.IOERR_DELETE},
}

// manyStep is coprime to the number of ways and to the two writes of a frame.
const manyStep = 13

// The ways in which a call fails, as bits.
const (
	wayLasting = 1 << iota // all calls after it fail, too, until somebody has noticed
	wayCut                 // the power is cut when the session is over
	wayEvicted             // what a failed sync has lost is also read no more
	ways
)

// TestEveryCallFails does a short session again and again, in which one call
// of the file system fails, each in its turn: nothing that was told is lost,
// what was refused does not come, and the store heals by itself.
func TestEveryCallFails(t *testing.T) {
	for _, c := range sweepCases {
		t.Run(fmt.Sprint(c.op, " ", c.kind, " ", c.err), func(t *testing.T) {
			t.Parallel()
			calls := 0
			step := 2*slower - 1
			if *thorough {
				step = 1
			} else if c.op == faultvfs.Write || c.op == faultvfs.Read { // of which there are hundreds
				step *= manyStep
			}
			for n := 0; n <= calls; n += step {
				for way := range ways {
					if !*thorough && way != n/step%ways || n == 0 && way > 0 {
						continue
					}
					ok := t.Run(fmt.Sprint(n, " way ", way), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							v := sweepOnce(t, c, n, way)
							if n == 0 { // nothing fails: it counts
								calls = v.Calls(c.op, c.kind)
							}
						})
					})
					require.True(t, ok)
				}
			}
			require.NotZero(t, calls)
		})
	}
}

func sweepOnce(t *testing.T, c sweepCase, n, way int) *faultvfs.VFS {
	v := faultvfs.New(t, faultvfs.Options{Lossy: true, Early: 0.3, Seed: uint64(n)})
	switch {
	case n == 0:
	case way&wayLasting != 0:
		var rest []int
		for i := range 10_000 {
			rest = append(rest, n+i)
		}
		v.Fail(c.op, c.kind, c.err, rest...)
	default:
		v.Fail(c.op, c.kind, c.err, n)
	}
	x := &session{
		T: t, vfs: v, ledger: newLedger(), evict: way&wayEvicted != 0,
		options: Options{Path: filepath.Join(t.TempDir(), "tasks.db"), VFS: v.Name(), window: 1},
	}
	x.story()
	if way&wayCut != 0 {
		v.Cut()
	}
	if err := x.store.Close(); n == 0 && way&wayCut == 0 {
		require.NoError(t, err)
	}
	require.NoError(t, recovered(t, x.options.Path, x.ledger))
	return v
}
