package transfer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/nats/natstest"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// cluster are servers of NATS for a test.
func cluster(t *testing.T) []string {
	all, err := natstest.Start(t.TempDir(), 1)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	return all.URLs()
}

var lastNamespace atomic.Int64

func namespace(t *testing.T, servers []string) nats.Address {
	a := nats.Address{Servers: servers, Namespace: fmt.Sprint("n", lastNamespace.Add(1))}
	_, err := nats.Init(t.Context(), a, nats.Credentials{}, nats.Namespace{})
	require.NoError(t, err)
	return a
}

// copied copies between files, which are names, and namespaces.
func copied(t *testing.T, from, to any) transfer.Sum {
	sum, err := tryCopy(t, from, to)
	require.NoError(t, err)
	return sum
}

func tryCopy(t *testing.T, from, to any) (transfer.Sum, error) {
	source, err := sourceOf(t, from)
	if err != nil {
		return transfer.Sum{}, err
	}
	defer func() { require.NoError(t, source.Close()) }()
	target, err := targetOf(t, to)
	if err != nil {
		return transfer.Sum{}, err
	}
	defer func() { require.NoError(t, target.Close()) }()
	return transfer.Copy(t.Context(), source, target)
}

func sourceOf(t *testing.T, from any) (transfer.From, error) {
	if a, is := from.(nats.Address); is {
		return nats.CopyFrom(t.Context(), a, nats.Credentials{})
	}
	return sqlite.CopyFrom(t.Context(), from.(string))
}

func targetOf(t *testing.T, to any) (transfer.Target, error) {
	if a, is := to.(nats.Address); is {
		return nats.CopyInto(t.Context(), a, nats.Credentials{})
	}
	return sqlite.CopyInto(to.(string))
}

// exported is what store export prints of a file or a namespace, with outputs, and of a file with its settings. Both are sound.
func exported(t *testing.T, from any) (tasks, settings string) {
	var b, set bytes.Buffer
	out := json.NewEncoder(&b)
	report := func(f inspect.Finding) { t.Errorf("%v: %v", from, f) }
	each := func(task *schema.Task, all *inspect.Outputs) error {
		for i := range all { // a short text can be shown where it differs
			all[i].Data = fmt.Appendf(nil, "%d %x", len(all[i].Data), crc32.ChecksumIEEE(all[i].Data))
		}
		return out.Encode([]any{task, all})
	}
	if at, is := from.(nats.Address); is {
		require.NoError(t, nats.CheckNamespace(t.Context(), at, nats.Credentials{}, func(text string) { report(inspect.Finding{Text: text}) }))
		o, err := nats.Observe(t.Context(), at, nats.Credentials{})
		require.NoError(t, err)
		require.NoError(t, o.Tasks(t.Context(), executor.Filter{}, func(task *schema.Task) error {
			var all inspect.Outputs
			for i := range all {
				all[i], err = o.Output(t.Context(), task.ID, schema.Stream(i), -1)
				require.NoError(t, err)
				all[i].Final = task.State.Final()
			}
			return each(task, &all)
		}))
		require.NoError(t, o.Close())
		return b.String(), ""
	}
	path := from.(string)
	require.NoError(t, inspect.Check(t.Context(), path, report))
	require.NoError(t, inspect.ExportOutputs(t.Context(), path, executor.Filter{}, each, report))
	require.NoError(t, inspect.ExportSettings(t.Context(), path, func(s *inspect.Setting) error { return json.NewEncoder(&set).Encode(s) }, report))
	return b.String(), set.String()
}

// sameLines compares texts, and shows the first line that differs.
func sameLines(t *testing.T, want, is string) {
	t.Helper()
	all := strings.Split(is, "\n")
	for i, line := range strings.Split(want, "\n") {
		require.Less(t, i, len(all))
		require.Equal(t, line, all[i])
	}
	require.Equal(t, strings.Count(want, "\n"), len(all)-1)
}

// What is copied from a file to a namespace and back is what it was, and so is what is copied between two files or
// two namespaces.
func TestThereAndBack(t *testing.T) {
	servers := cluster(t)
	for seed := range uint64(2) {
		dir := t.TempDir()
		file := func(name string) string { return filepath.Join(dir, name) }
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: file("a"), Keep: 6})
		require.NoError(t, err)
		work(t, s, seed, 80)
		require.NoError(t, s.Close())
		one, two := namespace(t, servers), namespace(t, servers)
		sum := copied(t, file("a"), one)
		require.Equal(t, sum, copied(t, one, two))
		require.Equal(t, sum, copied(t, two, file("b")))
		require.Equal(t, sum, copied(t, file("b"), file("c")))
		tasks, settings := exported(t, file("a"))
		for _, to := range []string{file("b"), file("c")} {
			is, set := exported(t, to)
			sameLines(t, tasks, is)
			sameLines(t, settings, set)
		}
		is, _ := exported(t, two)
		sameLines(t, tasks, is)
		require.NotZero(t, sum.Waiting)
		require.NotZero(t, sum.OutputBytes)
		require.NotZero(t, sum.IDs)
		sameQueue(t, file("b"), two)
	}
}

// Which executors had tasks is copied from a namespace to a file, from there to another one, and to a namespace again.
func TestExecutorsOfTheCopied(t *testing.T) {
	servers, dir := cluster(t), t.TempDir()
	one, two := namespace(t, servers), namespace(t, servers)
	var ids []uuid.UUID
	for _, name := range []string{"m1", "m2"} {
		s, err := nats.Open(t.Context(), nats.Options{Address: one, Name: name})
		require.NoError(t, err)
		w := &worker{Rand: rand.New(rand.NewPCG(1, 1)), t: t, store: s}
		w.claims, err = s.Join(t.Context(), executor.Offer{})
		require.NoError(t, err)
		w.submit(1)
		l, err := w.claims.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		done := make(chan error, 1)
		l.Finish(executor.Outcome{State: schema.Completed}, func(err error) { done <- err })
		require.NoError(t, <-done)
		l.Release()
		ids = append(ids, w.ids...)
		require.NoError(t, s.Close())
	}
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	sum := copied(t, one, a)
	require.Equal(t, sum, copied(t, a, b))
	require.Equal(t, sum, copied(t, b, two))
	file, err := sqlite.Open(t.Context(), sqlite.Options{Path: b})
	require.NoError(t, err)
	defer file.Close()
	back, err := nats.Open(t.Context(), nats.Options{Address: two})
	require.NoError(t, err)
	defer back.Close()
	for _, s := range []executor.Store{file, back} {
		for i, name := range []string{"m1", "m2"} {
			page, err := s.List(t.Context(), executor.Filter{Executor: name}, executor.PageRequest{Limit: 10})
			require.NoError(t, err)
			require.Len(t, page.Tasks, 1)
			require.Equal(t, ids[i], page.Tasks[0].ID)
			require.Equal(t, name, page.Tasks[0].RanOn.Executor)
		}
	}
}

// sameQueue opens a file and a namespace, and compares what clients see of their tasks and groups.
func sameQueue(t *testing.T, file string, at nats.Address) {
	ctx := t.Context()
	a, err := sqlite.Open(ctx, sqlite.Options{Path: file})
	require.NoError(t, err)
	defer a.Close()
	b, err := nats.Open(ctx, nats.Options{Address: at})
	require.NoError(t, err)
	defer b.Close()
	var pages [2]executor.Page
	for i, s := range []executor.Store{a, b} {
		pages[i], err = s.List(ctx, executor.Filter{}, executor.PageRequest{Limit: 1000, Oldest: true})
		require.NoError(t, err)
		pages[i].Next = ""
	}
	require.Equal(t, pages[0], pages[1])
	for _, task := range pages[0].Tasks {
		var both [2]executor.Record
		for i, s := range []executor.Store{a, b} {
			both[i], err = s.Get(ctx, task.ID)
			require.NoError(t, err)
		}
		require.Equal(t, both[0], both[1])
	}
	groups, err := a.Groups(ctx)
	require.NoError(t, err)
	others, err := b.Groups(ctx)
	require.NoError(t, err)
	require.Equal(t, groups, others)
	require.NoError(t, a.Pause(ctx, false))
	require.NoError(t, b.Pause(ctx, false))
	var first [2]executor.Lease
	for i, s := range []executor.Store{a, b} {
		c, err := s.Join(ctx, executor.Offer{Labels: map[string]string{"p": "0"}})
		require.NoError(t, err)
		first[i], err = c.Claim(ctx, executor.Ended{})
		require.NoError(t, err)
	}
	require.Equal(t, first[0].Record().ID, first[1].Record().ID)
}
