package sqlite

import (
	"testing"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// TestTasksAreReadWhereNoFileCanBeOpened has a process whose descriptors are used
// up once its store is open.
func TestTasksAreReadWhereNoFileCanBeOpened(t *testing.T) {
	v := faultvfs.New(t, faultvfs.Options{})
	s := open(t, func(o *Options) { o.VFS = v.Name() })
	submit(t, s, newTask())
	id := runOne(t, s, completed)
	v.Fail(faultvfs.Open, faultvfs.Main, sqlite3.CANTOPEN)
	v.Fail(faultvfs.Open, faultvfs.WAL, sqlite3.CANTOPEN)
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			answers, err := s.Cancel(t.Context(), []uuid.UUID{id}, executor.Cancellation{})
			if err != nil {
				return err
			}
			require.NoError(t, answers[0].Err)
			require.Equal(t, schema.OutcomeAlreadyFinished, answers[0].Outcome)
			_, err = s.Get(t.Context(), id)
			return err
		})
	}
	require.NoError(t, all.Wait())
}
