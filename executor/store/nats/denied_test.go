package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// permitted opens a store whose user may do everything, until may says otherwise.
func permitted(t *testing.T) (s *Store, may func(*server.Permissions)) {
	t.Helper()
	var options *server.Options
	all, err := natstest.Start(t.TempDir(), 1, func(o *server.Options) {
		o.Users, options = []*server.User{{Username: "me", Password: "canary"}}, o
	})
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at, who := Address{Servers: all.URLs(), Namespace: "jobs"}, Credentials{User: "me", Password: "canary"}
	_, err = Init(t.Context(), at, who, Namespace{})
	require.NoError(t, err)
	s = open(t, Options{Address: at, Credentials: who, Lease: longLease})
	return s, func(p *server.Permissions) {
		t.Helper()
		changed := options.Clone()
		changed.Users = []*server.User{{Username: "me", Password: "canary", Permissions: p}}
		require.NoError(t, all[0].ReloadOptions(changed))
	}
}

// A permission that a user loses while a server runs, and gets again, is noticed: what was refused is done then, and
// what is refused for another reason is not told as that refusal.
func TestPermissionsComeBack(t *testing.T) {
	t.Parallel()
	s, may := permitted(t)
	may(&server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.API.STREAM.INFO.>"}}})
	asking, done := s.denied.cancelOnRefusal(t.Context())
	began := time.Now()
	require.ErrorContains(t, orRefusal(asking, s.maintainOnce(asking, 0)), `do not let this user publish to "$JS.API.STREAM.INFO.JL`)
	done()
	require.Less(t, time.Since(began), askTimeout, "it is told at once")
	may(nil)
	asking, done = s.denied.cancelOnRefusal(t.Context())
	require.NoError(t, orRefusal(asking, s.maintainOnce(asking, 0)))
	require.ErrorIs(t, orRefusal(asking, errLogGap), errLogGap)
	done()

	may(&server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{"_INBOX.>"}}})
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.unread != nil && s.unread.Error() == s.denied.err().Error()
	}, patience, 10*time.Millisecond)
	require.ErrorContains(t, s.denied.err(), `do not let this user subscribe to "_INBOX.`)
	may(nil)
	task := newTask()
	s.submits(t, task)
	s.sees(t, task.ID, schema.Queued)
	require.Empty(t, s.Info().Fault)
	require.NoError(t, s.Close())
}

// A write that is refused for want of a permission is told as that at once, and not as one that has taken too long. It is
// recorded when the permission is given again.
func TestRefusedWriteIsToldAtOnce(t *testing.T) {
	t.Parallel()
	s, may := permitted(t)
	may(&server.Permissions{Publish: &server.SubjectPermission{Deny: []string{s.options.Address.subject(RoleExecutor)}}})
	task, began := newTask(), time.Now()
	_, err := s.Submit(t.Context(), []executor.Submission{task})
	require.ErrorIs(t, err, executor.ErrStoreUnavailable)
	require.ErrorIs(t, err, executor.ErrOutcomeUnknown)
	const why = `the NATS servers do not let this user publish to "jl.jobs.executor"; give it that permission`
	require.ErrorContains(t, err, why)
	require.Less(t, time.Since(began), resendAfter, "it is told at once")
	require.Eventually(t, func() bool { return !s.Reached() }, patience, time.Millisecond)
	s.setFault(natsgo.ErrTimeout) // of the write that got no answer
	require.Contains(t, s.Info().Fault, why)
	may(nil)
	wake(s.resend) // which it does by itself after a while
	s.sees(t, task.ID, schema.Queued)
	require.Eventually(t, s.Reached, patience, time.Millisecond)
	require.NoError(t, s.Close())
}
