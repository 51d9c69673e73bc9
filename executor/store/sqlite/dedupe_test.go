package sqlite

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// TestWhatIsReplacedDoesNotRunAfterAKill has a store that is killed when a task is recorded that
// replaces another one, and the end of that one is not. The next process ends it.
func TestWhatIsReplacedDoesNotRunAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := faulty(t, faultvfs.Options{})
		old, next := newTask(deduped(schema.DedupeReuse)), newTask(deduped(schema.DedupeReplace))
		submit(t, s, old)
		v.Hook(dieWhenDoomed(s, v, old.ID))
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

// TestTheNewestStaysWhereTheOldOneIsTriedAgain lets the process die when a task is recorded that
// replaces a running one, and the cancel of that one is not. The old one is tried again after an
// interruption, but is the older one still.
func TestTheNewestStaysWhereTheOldOneIsTriedAgain(t *testing.T) {
	for _, on := range []schema.DedupeOn{schema.DedupeReuse, schema.DedupeReplace} {
		s := open(t)
		old := claim(t, s, when(schema.Conditions{
			Dedupe: &schema.Dedupe{Key: "k", On: on},
			Retry:  &schema.Retry{MaxAttempts: 3, DelayMs: new(int64), Factor: 1, MaxDelayMs: 1, Jitter: new(float64)},
		}))
		next := newTask(when(schema.Conditions{Dedupe: &schema.Dedupe{Key: "k", On: schema.DedupeReplace}}))
		submit(t, s, next)
		path := s.path
		require.NoError(t, s.Close())
		c, err := file.DialWriter(path, "", "FULL", false)
		require.NoError(t, err)
		_, err = file.WriteActive(c, nil, 1, file.Active{Attempt: 1, Started: old.Record().StartedAt})
		require.NoError(t, err)
		require.NoError(t, c.Close())
		s = open(t, func(o *Options) { o.Path = path })
		require.Equal(t, next.ID, runOne(t, s, completed))
		got, err := s.Get(t.Context(), old.Record().ID)
		require.NoError(t, err)
		require.Equal(t, schema.Cancelled, got.State)
		require.Equal(t, "replaced by "+next.ID.String(), got.CancelReason)
	}
}

// TestABurstThatReplacesItself has many tasks of one dedupe key in one transaction, and then as many in
// another one. Each comes after few others.
func TestABurstThatReplacesItself(t *testing.T) {
	s := open(t)
	running := claim(t, s, when(schema.Conditions{Dedupe: &schema.Dedupe{Key: "k"}}))
	burst := make([]executor.Submission, 300)
	for range 2 {
		for i := range burst {
			burst[i] = newTask(when(schema.Conditions{Dedupe: &schema.Dedupe{Key: "k", On: schema.DedupeReplace}}))
		}
		answers, err := s.Submit(t.Context(), burst)
		require.NoError(t, err)
		for _, a := range answers {
			require.NoError(t, a.Err)
			require.LessOrEqual(t, len(a.Conditions.After), 3)
			require.Equal(t, running.Record().ID, a.Conditions.After[0].ID)
		}
	}
	finishAs(t, running, completed)
	require.Equal(t, burst[len(burst)-1].ID, runOne(t, s, completed))
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.TaskCounts{Completed: 2, Cancelled: int64(2*len(burst) - 1)}, counts.TaskCounts)
}
