package sqlite

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/schema"
)

// TestWhatIsReplacedDoesNotRunAfterAKill has a store that is killed when a task is recorded that
// replaces another one, and the end of that one is not. The next process ends it.
func TestWhatIsReplacedDoesNotRunAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		old, next := newTask(deduped(schema.DedupeReuse)), newTask(deduped(schema.DedupeReplace))
		submit(t, s, old)
		dieWhenDoomed(s, v, old.ID)
		answers, err := s.Submit(t.Context(), []executor.Submission{next})
		require.NoError(t, err)
		require.Equal(t, old.ID, answers[0].Conditions.After[0].ID)
		synctest.Wait()
		require.Error(t, s.Close())

		o := s.options
		o.VFS = ""
		s, err = Open(t.Context(), o)
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, next.ID, runOne(t, s, completed))
		synctest.Wait()
		found, err := s.Get(t.Context(), old.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, found.State)
		require.Zero(t, found.Attempt)
		require.Equal(t, "replaced by "+next.ID.String(), found.CancelReason)
	})
}

// deduped is an option of newTask.
func deduped(on schema.DedupeOn) func(*executor.Submission) {
	return func(s *executor.Submission) {
		s.Conditions = &schema.Conditions{Dedupe: &schema.Dedupe{Key: "lint", On: on}}
	}
}
