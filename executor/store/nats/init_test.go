package nats

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/nats/natstest"
)

func TestParseAddress(t *testing.T) {
	a, err := ParseAddress("nats://one,two:5222,[::1]/jobs_1-a")
	require.NoError(t, err)
	require.Equal(t, Address{Servers: []string{"nats://one:4222", "nats://two:5222", "nats://[::1]:4222"}, Namespace: "jobs_1-a"}, a)
	require.Equal(t, "nats://one:4222,two:5222,[::1]:4222/jobs_1-a", a.String())
	a, err = ParseAddress("tls://one/jobs")
	require.NoError(t, err)
	require.Equal(t, "tls://one:4222/jobs", a.String())
	for text, says := range map[string]string{
		"nats://one":                "names no namespace",
		"nats://one/":               "names no namespace",
		"nats://one/a/b":            "names no namespace",
		"nats://one/a.b":            "names no namespace",
		"nats:///jobs":              "is no host",
		"nats://one,,two/jobs":      "is no host",
		"nats://one two/jobs":       "is no host",
		"nats://me:secret@one/jobs": "set NATS_USER and NATS_PASSWORD",
	} {
		_, err := ParseAddress(text)
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "secret")
	}
	require.True(t, IsAddress("nats://x"))
	require.True(t, IsAddress("tls://"))
	require.False(t, IsAddress("tasks.db"))
	require.False(t, IsAddress("http://x/y"))
}

// oneServer is a server of its own in this process.
func oneServer(t *testing.T, set func(*server.Options)) Address {
	t.Helper()
	all, err := natstest.Start(t.TempDir(), 1, set)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	return Address{Servers: all.URLs(), Namespace: "jobs"}
}

// refused is why a store is not opened.
func refused(t *testing.T, a Address, c Credentials) string {
	t.Helper()
	_, err := Open(t.Context(), Options{Address: a, Credentials: c})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	return err.Error()
}

// A store is refused in one line that says what to do.
func TestOpenRefusesServers(t *testing.T) {
	t.Parallel()
	small := oneServer(t, func(o *server.Options) { o.MaxPayload = 1000 })
	require.Contains(t, refused(t, small, Credentials{}), "set its max_payload to 65536 or more")
	without := oneServer(t, func(o *server.Options) { o.JetStream = false })
	require.Contains(t, refused(t, without, Credentials{}), "start it with -js")
	closed := oneServer(t, func(o *server.Options) { o.Username, o.Password = "me", "canary" })
	for _, c := range []Credentials{{}, {User: "me", Password: "wrong-canary"}, {Token: "canary-token"}} {
		says := refused(t, closed, c)
		require.Contains(t, says, "set NATS_USER and NATS_PASSWORD")
		require.NotContains(t, says, "canary")
	}
	require.Contains(t, refused(t, closed, Credentials{File: "none.creds"}), "none.creds")
	require.Contains(t, refused(t, closed, Credentials{Seed: "none.nk"}), "none.nk")

	var log bytes.Buffer
	_, err := Init(t.Context(), closed, Credentials{User: "me", Password: "canary"}, Namespace{})
	require.NoError(t, err)
	s := open(t, Options{Address: closed, Credentials: Credentials{User: "me", Password: "canary"}, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NotContains(t, s.Info().File, "canary")
	require.NoError(t, s.Close())
	require.NotContains(t, log.String(), "canary")
}

// A stream that would lose tasks, or is of another version, is refused.
func TestOpenRefusesStreams(t *testing.T) {
	t.Parallel()
	at := Address{Servers: clusterOf(t, 1)}
	conn, err := natsgo.Connect(strings.Join(at.Servers, ","))
	require.NoError(t, err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*jetstream.StreamConfig)
		says   string
	}{
		"memory":  {func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "is in memory"},
		"age":     {func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "drops entries after 1h0m0s"},
		"old":     {func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, "drops the oldest entries"},
		"number":  {func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }, "keeps only so many entries"},
		"read":    {func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, "drops what was read"},
		"async":   {func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode }, "answers before it has written"},
		"subject": {func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "other") }, "does not have exactly the subjects jl.subject.driver and jl.subject.executor"},
		"later":   {func(c *jetstream.StreamConfig) { c.Metadata[versionKey] = "99" }, `is of format 99, which a later version of jobline has made, and this version has format 2; install the version`},
		"earlier": {func(c *jetstream.StreamConfig) { c.Metadata[versionKey] = "1" }, `is of format 1, and this version of jobline has format 2; copy it to a file`},
		"shorter": {func(c *jetstream.StreamConfig) { c.Metadata[snapshotKey] = "64 MB" }, `has the metadata jobline-snapshot-bytes="64 MB", which is no number of bytes`},
		"foreign": {func(c *jetstream.StreamConfig) { c.Metadata = nil }, `is of format ""`},
	} {
		at.Namespace = name
		config := streamConfig(at, Namespace{})
		c.change(&config)
		_, err := js.CreateStream(t.Context(), config)
		require.NoError(t, err, name)
		require.Contains(t, refused(t, at, Credentials{}), c.says, name)
		_, err = Init(t.Context(), at, Credentials{}, Namespace{})
		require.ErrorContains(t, err, c.says, name)
	}
	refusesSnapshotStreams(t, js, at)
	at.Namespace = "bounded"
	_, err = Init(t.Context(), at, Credentials{}, Namespace{MaxBytes: 64 << 20})
	require.NoError(t, err)
	_, err = Init(t.Context(), at, Credentials{}, Namespace{MaxBytes: 128 << 20})
	require.ErrorContains(t, err, "nats stream edit JL_bounded --max-bytes 134217728")
	_, err = Init(t.Context(), at, Credentials{}, Namespace{MaxBytes: 1 << 20})
	require.ErrorContains(t, err, "give it 67108864 or more")
}

// refusesSnapshotStreams looks what becomes of namespaces whose stream for snapshots would lose some.
func refusesSnapshotStreams(t *testing.T, js jetstream.JetStream, at Address) {
	t.Helper()
	for name, c := range map[string]struct {
		change func(*jetstream.StreamConfig)
		says   string
	}{
		"memory2":  {func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage }, "the stream JLS_memory2 is in memory, so it would lose snapshots"},
		"age2":     {func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "the stream JLS_age2 drops entries after 1h0m0s"},
		"number2":  {func(c *jetstream.StreamConfig) { c.MaxMsgs = 10 }, "keeps only so many entries"},
		"subject2": {func(c *jetstream.StreamConfig) { c.Subjects = []string{"jls.subject2.1.*"} }, "the stream JLS_subject2 does not have exactly the subject jls.subject2.>"},
	} {
		at.Namespace = name
		_, err := js.CreateStream(t.Context(), streamConfig(at, Namespace{}))
		require.NoError(t, err, name)
		config := snapshotConfig(at, 1)
		c.change(&config)
		_, err = js.CreateStream(t.Context(), config)
		require.NoError(t, err, name)
		require.Contains(t, refused(t, at, Credentials{}), c.says, name)
		_, err = Init(t.Context(), at, Credentials{}, Namespace{})
		require.ErrorContains(t, err, c.says, name)
		require.ErrorContains(t, Check(t.Context(), at, Credentials{}), c.says, name)
		_, err = Inspect(t.Context(), at, Credentials{})
		require.ErrorContains(t, err, c.says, name)
	}
}

// Snapshots on fewer servers than the log are told, and the log keeps what they have: also where somebody changes that
// while servers run.
func TestSnapshotsOnFewerServers(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 3).namespace(t)
	s := open(t, Options{Address: at, Lease: longLease})
	js := s.journal.(*streamJournal).js
	set := func(replicas int) {
		_, err := js.UpdateStream(t.Context(), snapshotConfig(at, replicas))
		require.NoError(t, err)
	}
	set(1)
	for range 3 {
		s.submits(t, newTask())
		s.makes(t)
	}
	says := "nats stream edit JLS_" + at.Namespace + " --replicas 3"
	require.ErrorContains(t, s.removeOld(t.Context()), says)
	require.Equal(t, uint64(1), s.firstEntry(t))
	_, err := Init(t.Context(), at, Credentials{}, Namespace{Replicas: 3})
	require.ErrorContains(t, err, says)
	require.ErrorContains(t, Check(t.Context(), at, Credentials{}), says)
	info, err := Inspect(t.Context(), at, Credentials{})
	require.NoError(t, err)
	require.Equal(t, []int{3, 1}, []int{info.Replicas, info.SnapshotReplicas})
	set(3)
	require.Eventually(t, func() bool { return s.removeOld(t.Context()) == nil }, patience, 50*time.Millisecond)
	require.Greater(t, s.firstEntry(t), uint64(1))
	_, err = Init(t.Context(), at, Credentials{}, Namespace{Replicas: 1})
	require.ErrorContains(t, err, "nats stream edit JL_"+at.Namespace+" --replicas 1, and then: nats stream edit JLS_"+at.Namespace+" --replicas 1")
	require.NoError(t, s.Close())
}

// The bytes that are kept of outputs cannot change; other limits are those of the latest process
// that has named some.
func TestLimitsAreOfTheNamespace(t *testing.T) {
	t.Parallel()
	at := clusterOf(t, 1).namespace(t)
	first := open(t, Options{Address: at, Limits: memory.Options{Keep: 5, MaxOutput: 100, Resources: map[string]int64{"gpu": 2}}})
	second := open(t, Options{Address: at})
	require.Equal(t, 5, second.Info().Limits.KeepTasks)
	require.Equal(t, map[string]int64{"gpu": 2}, second.Info().Resources)
	third := open(t, Options{Address: at, Limits: memory.Options{Keep: 7}})
	require.Eventually(t, func() bool { return first.Info().Limits.KeepTasks == 7 }, patience, time.Millisecond)
	require.Equal(t, 100, third.Info().Limits.OutputBytes)
	_, err := Open(context.Background(), Options{Address: at, Limits: memory.Options{MaxOutput: 200}})
	require.ErrorContains(t, err, "keeps 100 bytes of each stream of a task, which cannot be changed")
	for _, s := range []*Store{first, second, third} {
		require.NoError(t, s.Close())
	}
}

// Of several servers the one is told that says most: a refused connection says less than refused credentials.
func TestTheMostTellingServerIsTold(t *testing.T) {
	t.Parallel()
	closes, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	none := "nats://" + closes.Addr().String()
	require.NoError(t, closes.Close())
	refuses := oneServer(t, func(o *server.Options) { o.Username, o.Password = "me", "canary" }).Servers[0]
	plain := oneServer(t, func(*server.Options) {}).Servers[0]
	secure := strings.Replace(plain, "nats://", "tls://", 1)
	says := func(servers ...string) string {
		return refused(t, Address{Servers: servers, Namespace: "jobs"}, Credentials{})
	}
	for range 4 { // servers are tried in any order
		require.Contains(t, says(refuses, none), "the server at "+refuses+" refuses a user without credentials")
		require.Contains(t, says(none, refuses), "the server at "+refuses+" refuses a user without credentials")
		require.Contains(t, says(none, secure), "the server at "+secure+" has no TLS")
		require.Contains(t, says(secure, refuses), "the server at "+refuses+" refuses a user without credentials")
	}
	require.Contains(t, says(none, none), "no NATS server answers at "+none+", "+none)
}
