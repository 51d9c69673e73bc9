package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// TestOpenSaysWhatFails fails each call of the file system that opening a
// store makes: the error names the file, and the next Open works.
func TestOpenSaysWhatFails(t *testing.T) {
	for name, filled := range map[string]bool{"new": false, "filled": true} {
		for _, c := range sweepCases {
			t.Run(fmt.Sprint(name, " ", c.op, " ", c.kind, " ", c.err), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := faultvfs.New(t, faultvfs.Options{})
					for n, calls := 1, 1; n <= calls; n++ {
						o := Options{Path: filepath.Join(t.TempDir(), "tasks.db"), VFS: v.Name()}
						if filled {
							fillOne(t, o)
						}
						before := v.Calls(c.op, c.kind)
						v.Fail(c.op, c.kind, c.err, n)
						if s, err := Open(t.Context(), o); err == nil {
							require.NoError(t, closeHealed(s, v))
						} else {
							require.ErrorContains(t, err, o.Path)
						}
						v.Heal()
						calls = v.Calls(c.op, c.kind) - before
						fillOne(t, o)
					}
				})
			})
		}
	}
}

// fillOne runs a task in a store.
func fillOne(t *testing.T, o Options) {
	t.Helper()
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	submit(t, s, newTask())
	runOne(t, s, completed)
	require.NoError(t, s.Close())
}

// closeHealed closes a store in which nothing fails any more.
func closeHealed(s *Store, v *faultvfs.VFS) error {
	v.Heal()
	return s.Close()
}
