package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/schema"
)

// These tests are of what JetStream does that a queue can trip over, each with a real server. Others
// are elsewhere: an acknowledgement that comes late is no fence (TestGivenUpProcessEndsNothing), a
// leader fails (TestAServerOfThreeStops), streams that lose (TestOpenRefusesStreams), a connection
// that breaks with writes under way (TestEachChangeCountsOnce).

// submitsLater submits a task, and tells what came of it.
func (s *Store) submitsLater(t *testing.T, one executor.Submission) <-chan executor.Submitted {
	said := make(chan executor.Submitted, 1)
	go func() {
		answers, err := s.Submit(t.Context(), []executor.Submission{one})
		if err != nil {
			answers = []executor.Submitted{{Err: err}}
		}
		said <- answers[0]
	}()
	return said
}

// isNew says that a submit has made its task, which is the only one.
func (s *Store) isNew(t *testing.T, a executor.Submitted) {
	t.Helper()
	require.NoError(t, a.Err)
	require.False(t, a.Existing)
	counts, err := s.Counts(t.Context())
	require.NoError(t, err)
	require.Equal(t, schema.TaskCounts{Queued: 1}, counts.TaskCounts)
}

// A message is recorded, and its acknowledgement is lost. The trap: who writes it again makes it
// twice, or is told of a conflict with itself. Here the entry in the log is the answer.
func TestTrapLostAcknowledgement(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	s, sees := opens(t, Options{Address: through, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	p.Mute()
	one := newTask()
	said := s.submitsLater(t, one)
	sees.sees(t, one.ID, schema.Queued) // it is recorded
	p.Mend()
	s.isNew(t, <-said)
}

// The servers restart between a message and its copy. The trap: they forget the ids of messages at a
// restart, so a copy is another message. Here its number says that it is a copy.
func TestTrapCopyAfterARestart(t *testing.T) {
	if raced {
		t.Skip("the race detector watches this process without the servers")
	}
	t.Parallel()
	all, err := natstest.Start(t.TempDir(), 1)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at := servers(all.URLs()).namespace(t)
	p := natstest.NewProxy(t, at.Servers[0])
	through := at
	through.Servers = []string{p.URL()}
	s, sees := opens(t, Options{Address: through, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	p.Mute()
	one := newTask()
	said := s.submitsLater(t, one)
	sees.sees(t, one.ID, schema.Queued)
	all[0].Shutdown()
	all[0].WaitForShutdown()
	require.NoError(t, all[0].Restart())
	p.Mend()
	s.isNew(t, <-said)
	sees.submits(t, newTask()) // the others go on, too
}

// A consumer is gone, or says nothing more. The trap: what is written is not heard of, and nothing
// tells that. Here the silence of its heartbeat does, and the log is asked for anew.
func TestTrapSilentConsumer(t *testing.T) {
	t.Parallel()
	at, through, p := proxied(t)
	s, writes := opens(t, Options{Address: through, Lease: longLease}), opens(t, Options{Address: at, Lease: longLease})
	stream := writes.journal.(*streamJournal).stream
	names := stream.ConsumerNames(t.Context())
	for name := range names.Name() {
		require.NoError(t, stream.DeleteConsumer(t.Context(), name))
	}
	require.NoError(t, names.Err())
	gone := newTask()
	writes.submits(t, gone)
	s.sees(t, gone.ID, schema.Queued)

	p.Mute()
	silent := newTask()
	writes.submits(t, silent)
	s.until(t, func() bool { return time.Since(s.lastContact.awake) > 2*heartbeat })
	p.Mend()
	s.sees(t, silent.ID, schema.Queued)
}

// The stream is purged by hand. The trap: followers do not see it, and one that starts knows less than
// the others. Here it refuses to start.
func TestTrapPurgedStream(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := opens(t, Options{Address: at, Lease: longLease})
	one := newTask()
	s.submits(t, one)
	require.NoError(t, s.journal.(*streamJournal).stream.Purge(t.Context()))
	s.sees(t, one.ID, schema.Queued)
	s.submits(t, newTask())
	_, err := Open(t.Context(), Options{Address: at})
	require.ErrorContains(t, err, "no snapshot of what was before it can be read")
}
