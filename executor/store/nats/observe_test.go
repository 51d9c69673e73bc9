package nats

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Who only looks knows what the others do, and nobody notices it.
func TestObserve(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease, Name: "one", Slots: 2})
	ctx := t.Context()
	all := make([]executor.Submission, 3)
	for i := range all {
		all[i].ID, all[i].Type, all[i].Input, all[i].CreatedAt = uuid.Must(uuid.NewV7()), "noop", []byte(`{"a":1}`), schema.Now()
	}
	_, err := s.Submit(ctx, all)
	require.NoError(t, err)
	c, err := s.Join(ctx, executor.Offer{})
	require.NoError(t, err)
	first, err := c.Claim(ctx, executor.Ended{})
	require.NoError(t, err)
	require.NoError(t, first.Write(schema.Stdout, []byte("some text")))
	recorded := make(chan error, 1)
	first.Finish(executor.Outcome{State: schema.Completed, Result: []byte(`7`)}, func(err error) { recorded <- err })
	require.NoError(t, <-recorded)
	first.Release()
	second, err := c.Claim(ctx, executor.Ended{})
	require.NoError(t, err)
	require.NoError(t, second.Write(schema.Stderr, []byte("of one that runs")))
	require.NoError(t, s.waitForOwnWrites(ctx))

	o, err := Observe(ctx, at, Credentials{})
	require.NoError(t, err)
	var found []schema.Task
	keep := func(task *schema.Task) error {
		found = append(found, *task)
		return nil
	}
	require.NoError(t, o.Tasks(ctx, executor.Filter{}, keep))
	require.Len(t, found, 3)
	for i := range all {
		r, err := s.Get(ctx, all[i].ID)
		require.NoError(t, err)
		if i == 1 {
			require.Equal(t, "one", found[i].RunsOn.Executor)
			r.OutputBytes = nil
		}
		require.Equal(t, r.Task, found[i])
	}
	found = nil
	require.NoError(t, o.Tasks(ctx, executor.Filter{States: []schema.State{schema.Queued}}, keep))
	require.Len(t, found, 1)
	require.Equal(t, all[2].ID, found[0].ID)
	piece, err := o.Output(ctx, all[0].ID, schema.Stdout, 4)
	require.NoError(t, err)
	require.Equal(t, "text", string(piece.Data))
	_, err = o.Output(ctx, uuid.New(), schema.Stdout, -1)
	require.ErrorIs(t, err, executor.ErrNotFound)
	require.NoError(t, o.Close())
	require.Empty(t, checked(t, at))
	require.Equal(t, 1, peersOf(t, s))
	require.NoError(t, s.Close())
}

// checked are the findings of a namespace.
func checked(t *testing.T, at Address) (found []string) {
	require.NoError(t, CheckNamespace(context.Background(), at, Credentials{}, func(text string) { found = append(found, text) }))
	return found
}

// A check tells a snapshot that cannot be read, though there is another one, and a log that cannot be applied.
func TestCheckNamespace(t *testing.T) {
	t.Parallel()
	servers := clusterOf(t, 1)
	at := servers.namespace(t)
	require.Empty(t, checked(t, at))
	s := open(t, Options{Address: at, Lease: longLease})
	require.NoError(t, s.makeSnapshot(t.Context()))
	require.Empty(t, checked(t, at))
	require.NoError(t, s.Pause(t.Context(), true))
	s.applying.Lock()
	damaged := storedSnapshot{Entry: s.applied.Load(), At: int64(s.appliedAt)}
	s.applying.Unlock()
	_, err := s.snapshotStore.put(t.Context(), damaged, [][]byte{[]byte("nonsense")})
	require.NoError(t, err)
	found := checked(t, at)
	require.Len(t, found, 1)
	require.Regexp(t, `^the snapshot of entry \d+: the snapshot cannot be read: `, found[0])
	require.NoError(t, s.Close())

	broken := servers.namespace(t)
	conn, err := Dial(broken, Credentials{})
	require.NoError(t, err)
	defer conn.Close()
	writer := uuid.New()
	says := func(number uint64, text []byte) {
		_, err = conn.Request(broken.subject(RoleExecutor), append(head{writer: writer, number: number}.append(nil), text...), askTimeout)
		require.NoError(t, err)
	}
	for number, c := range []change{{Hello: &hello{Name: "differs", Rules: rulesVersion}}, {Beat: true}, {Beat: true, Seen: &entryDigest{Entry: 2, Digest: 1}}} {
		text, err := encode([]change{c})
		require.NoError(t, err)
		says(uint64(number)+1, text)
	}
	found = checked(t, broken)
	require.Equal(t, []string{"after entry 2 the copy of differs at  differed from what the log makes"}, found)
	says(4, []byte("nonsense"))
	found = checked(t, broken)
	require.Len(t, found, 2)
	require.Contains(t, found[1], "entry 4 of the log cannot be read")
	_, err = Observe(t.Context(), broken, Credentials{})
	require.ErrorContains(t, err, "entry 4 of the log cannot be read")
	err = CheckNamespace(t.Context(), Address{Servers: servers, Namespace: "none"}, Credentials{}, func(string) {})
	require.ErrorContains(t, err, "there is no namespace none yet")
}
