package nats

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// dials connects to the servers of a namespace.
func dials(t *testing.T, at Address) *natsgo.Conn {
	t.Helper()
	conn, err := Dial(at, Credentials{})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	return conn
}

// What somebody writes to the subject of executors who is none changes nothing, and is told once. It keeps nobody from going on, or from
// starting.
func TestEntriesOfNobodyChangeNothing(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	lives := open(t, Options{Address: at, Lease: longLease})
	lives.submits(t, newTask())
	conn := dials(t, at)
	for _, text := range [][]byte{nil, []byte("x"), []byte("by nats pub, as an administrator may"), copyMark(newTask().ID), {formatVersion + 1},
		head{writer: newTask().ID, number: 1}.append(nil), head{writer: newTask().ID, number: 2}.append(nil)} {
		require.NoError(t, conn.Publish(at.subject(RoleExecutor), text))
	}
	require.NoError(t, conn.Flush())
	task := newTask()
	lives.submits(t, task)
	var log bytes.Buffer
	comes := open(t, Options{Address: at, Lease: longLease, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.Equal(t, 2, peersOf(t, comes))
	require.Equal(t, comes.digest(t), lives.digest(t))
	for _, s := range []*Store{lives, comes} {
		s.sees(t, task.ID, schema.Queued)
		require.Empty(t, s.Info().Fault)
		require.NoError(t, s.Close())
	}
	require.Equal(t, 1, strings.Count(log.String(), "no server of the namespace has written"), log.String())
}

// What a known executor has written and nobody can read ends those that come to it: its copy has something that they have not.
func TestUnreadableEntryOfAnExecutorEndsAll(t *testing.T) {
	t.Parallel()
	s := newStore(Options{Logger: slog.New(slog.DiscardHandler)})
	id := newTask().ID
	s.writes(t, 1, id, 1, change{Hello: &hello{Rules: rulesVersion}})
	err := s.applyEntry(entry{sequence: 2, role: RoleExecutor, piece: append(head{writer: id, number: 2}.append(nil), "rubbish"...)})
	require.ErrorContains(t, err, "entry 2 of the log cannot be read")
}

// Who may read one namespace can let its entries be written into the log of another one of the account. There they count for nothing.
func TestEntriesOfAnotherNamespaceChangeNothing(t *testing.T) {
	t.Parallel()
	all := clusterOf(t, 1)
	from, to := all.namespace(t), all.namespace(t)
	one, other := open(t, Options{Address: from, Lease: longLease}), open(t, Options{Address: to, Lease: longLease})
	task := newTask()
	one.submits(t, task)
	before := other.applied.Load()
	_, err := dials(t, from).Request("$JS.API.CONSUMER.CREATE."+from.StreamName()+".x", fmt.Appendf(nil,
		`{"stream_name":%q,"config":{"name":"x","deliver_policy":"all","ack_policy":"none","deliver_subject":%q}}`, from.StreamName(), to.subject(RoleExecutor)), askTimeout)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return other.applied.Load() >= before+3 }, patience, time.Millisecond)
	require.Equal(t, 1, peersOf(t, other))
	require.Empty(t, other.Info().Fault)
	_, err = other.Get(t.Context(), task.ID)
	require.Error(t, err)
	require.NoError(t, one.Close())
	require.NoError(t, other.Close())
}

// An entry is of a role only where it came from exactly a subject of the namespace.
func TestRoleOfASubject(t *testing.T) {
	t.Parallel()
	a := Address{Namespace: "builds"}
	for _, r := range []Role{RoleDriver, RoleExecutor} {
		require.Equal(t, r, a.roleOf("jl.builds."+string(r)))
	}
	for _, subject := range []string{"jl.other.executor", "executor", "jl.builds.viewer", "jl.builds.x.executor", "jls.builds.executor", "xjl.builds.executor", ""} {
		require.Empty(t, a.roleOf(subject), subject)
	}
}
