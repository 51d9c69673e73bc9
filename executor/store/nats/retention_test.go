package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// A read waits for no entry that this process may not write, or cannot: it shows a task a little longer that is to be forgotten.
func TestReadsDoNotNeedRetention(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	s := open(t, Options{Address: at, Lease: shortLease, Limits: memory.Options{KeepFor: time.Second}})
	cut := open(t, Options{Address: through, Lease: longLease})
	task := newTask()
	s.submits(t, task)
	require.NoError(t, finishes(claims(t, s.joins(t))))
	require.NoError(t, s.Close())
	cut.sees(t, task.ID, schema.Completed)
	p.Cut()
	viewer := opens(t, Options{Address: at, Lease: shortLease, Role: RoleViewer})
	for _, reads := range []*Store{viewer, cut} {
		require.Eventually(t, func() bool { return reads.machine.tasks.Overdue(schema.Now()) && (reads == viewer || !reads.Reached()) }, patience, time.Millisecond)
		r, err := reads.Get(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, schema.Completed, r.State)
		page, err := reads.List(t.Context(), executor.Filter{}, executor.PageRequest{Limit: 1})
		require.NoError(t, err)
		require.Len(t, page.Tasks, 1)
	}
	p.Mend()
	require.NoError(t, cut.Close())
}
