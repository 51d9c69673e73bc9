package nats

import (
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// A permission that a user loses while a server runs, and gets again, is noticed: what was refused is done then, and
// what is refused for another reason is not told as that refusal.
func TestPermissionsComeBack(t *testing.T) {
	t.Parallel()
	var options *server.Options
	all, err := natstest.Start(t.TempDir(), 1, func(o *server.Options) {
		o.Users, options = []*server.User{{Username: "me", Password: "canary"}}, o
	})
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at, who := Address{Servers: all.URLs(), Namespace: "jobs"}, Credentials{User: "me", Password: "canary"}
	_, err = Init(t.Context(), at, who, Namespace{})
	require.NoError(t, err)
	s := open(t, Options{Address: at, Credentials: who, Lease: longLease})
	may := func(p *server.Permissions) {
		t.Helper()
		changed := options.Clone()
		changed.Users = []*server.User{{Username: "me", Password: "canary", Permissions: p}}
		require.NoError(t, all[0].ReloadOptions(changed))
	}

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
