package storetest

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

var listContracts = []contract{
	{name: "of nothing is empty", test: listEmpty},
	{name: "pages in both orders", test: listOrders},
	{name: "shows tasks as they are", test: listShows},
	{name: "selects by state, type and labels", test: listFilters},
	{name: "selects by the time of creation", test: listTimes},
	{name: "is stable while tasks come and go", limits: Limits{Keep: -1}, test: listStable},
	{name: "refuses what is not a cursor", test: listBadCursor},
}

// list reads all pages of a list.
func (f *fixture) list(filter executor.Filter, page executor.PageRequest) []uuid.UUID {
	f.Helper()
	var ids []uuid.UUID
	for {
		found, err := f.store.List(f.Context(), filter, page)
		require.NoError(f, err)
		require.LessOrEqual(f, len(found.Tasks), page.Limit)
		for _, t := range found.Tasks {
			ids = append(ids, t.ID)
		}
		if found.Next == "" {
			return ids
		}
		require.NotEqual(f, page.Cursor, found.Next, "a page that leads nowhere")
		page.Cursor = found.Next
	}
}

// many submits n tasks, each on its own.
func (f *fixture) many(n int) []uuid.UUID {
	f.Helper()
	var ids []uuid.UUID
	for range n {
		ids = append(ids, f.one())
	}
	return ids
}

func backwards(ids []uuid.UUID) []uuid.UUID {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func listEmpty(f *fixture) {
	for _, oldest := range []bool{false, true} {
		require.Empty(f, f.list(executor.Filter{}, executor.PageRequest{Oldest: oldest, Limit: 10}))
	}
}

func listOrders(f *fixture) {
	ids := f.many(1100)
	for _, limit := range []int{1, 7, 100, 1100, 5000} {
		require.Equal(f, ids, f.list(executor.Filter{}, executor.PageRequest{Oldest: true, Limit: limit}))
		require.Equal(f, backwards(ids), f.list(executor.Filter{}, executor.PageRequest{Limit: limit}))
	}
}

func listShows(f *fixture) {
	f.ran(withInput(`{"n":1}`), withLabels(map[string]string{"k": "v"}))
	f.one()
	running := f.claim()
	require.NoError(f, running.Write(schema.Stdout, []byte("abc")))
	require.NoError(f, running.Progress(schema.Progress{Value: 2}))
	f.one()
	found, err := f.store.List(f.Context(), executor.Filter{}, executor.PageRequest{Limit: 10})
	require.NoError(f, err)
	require.Len(f, found.Tasks, 3)
	for _, t := range found.Tasks {
		want := f.get(t.ID).Task
		want.Input = nil
		require.Equal(f, want, t, "all but the input")
	}
}

func listFilters(f *fixture) {
	done := f.ran(ofType("a"), withLabels(map[string]string{"k": "1", "l": "x"}))
	keyed := f.ran(ofType("g"), onlyIf(schema.Conditions{Key: "k"}))
	f.one(ofType("b"), withLabels(map[string]string{"k": "1"}))
	running := f.claim().Record().ID
	queued := f.one(ofType("a"), withLabels(map[string]string{"k": "2", "l": "x"}))
	bare := f.one(ofType("b"))
	grouped := f.one(ofType("g"), onlyIf(schema.Conditions{Group: "build", Key: "k", RunAt: in(f.of(1 << 40))}))
	for _, c := range []struct {
		name   string
		filter executor.Filter
		want   []uuid.UUID
	}{
		{"all", executor.Filter{}, []uuid.UUID{done, keyed, running, queued, bare, grouped}},
		{"a state", executor.Filter{States: []schema.State{schema.Queued}}, []uuid.UUID{queued, bare, grouped}},
		{"states", executor.Filter{States: []schema.State{schema.Running, schema.Completed}}, []uuid.UUID{done, keyed, running}},
		{"no such state", executor.Filter{States: []schema.State{schema.Failed}}, nil},
		{"a type", executor.Filter{Types: []string{"b"}}, []uuid.UUID{running, bare}},
		{"types", executor.Filter{Types: []string{"c", "a"}}, []uuid.UUID{done, queued}},
		{"a label", executor.Filter{Labels: map[string]string{"k": "1"}}, []uuid.UUID{done, running}},
		{"labels", executor.Filter{Labels: map[string]string{"k": "2", "l": "x"}}, []uuid.UUID{queued}},
		{"the beginning of an id", executor.Filter{ID: running.String()[:9]}, []uuid.UUID{running}},
		{"the end of an id", executor.Filter{ID: queued.String()[24:]}, []uuid.UUID{queued}},
		{"the end of an id with hyphens", executor.Filter{ID: queued.String()[17:]}, []uuid.UUID{queued}},
		{"the beginning of the end of an id", executor.Filter{ID: queued.String()[28:34]}, []uuid.UUID{queued}},
		{"all but the last of the end of an id", executor.Filter{ID: queued.String()[28:35]}, []uuid.UUID{queued}},
		{"neither beginning nor end", executor.Filter{ID: queued.String()[27:35]}, nil},
		{"an id", executor.Filter{ID: done.String()}, []uuid.UUID{done}},
		{"the middle of an id", executor.Filter{ID: done.String()[3:20]}, nil},
		{"an id and another state", executor.Filter{ID: done.String(), States: []schema.State{schema.Queued}}, nil},
		{"an id and its label", executor.Filter{ID: queued.String()[:12], Labels: map[string]string{"k": "2"}}, []uuid.UUID{queued}},
		{"a group", executor.Filter{Group: "build"}, []uuid.UUID{grouped}},
		{"a key", executor.Filter{Key: "k"}, []uuid.UUID{keyed, grouped}},
		{"a key and a state", executor.Filter{Key: "k", States: []schema.State{schema.Completed}}, []uuid.UUID{keyed}},
		{"a group and another key", executor.Filter{Group: "build", Key: "other"}, nil},
		{"a group that is the name of a key", executor.Filter{Group: "k"}, nil},
		{"no id", executor.Filter{ID: "----"}, nil},
		{"an id that is not there", executor.Filter{ID: "ffffffff-ffff-4fff-8fff-ffffffffffff"}, nil},
		{"a label that is not there is not empty", executor.Filter{Labels: map[string]string{"k": ""}}, nil},
		{"all of it", executor.Filter{
			States: []schema.State{schema.Queued}, Types: []string{"a"}, Labels: map[string]string{"l": "x"},
		}, []uuid.UUID{queued}},
	} {
		for limit := 1; limit <= 6; limit++ {
			page := executor.PageRequest{Oldest: true, Limit: limit}
			require.Equal(f, c.want, f.list(c.filter, page), c.name)
			page.Oldest = false
			require.Equal(f, backwards(c.want), f.list(c.filter, page), c.name)
		}
	}
}

// listTimes has tasks that were created while the clock was set back, now and
// then by much, now and then by little.
func listTimes(f *fixture) {
	const hour, ms = 3_600_000_000, 1000
	base := schema.Now()
	var batch []executor.Submission
	for i, at := range []schema.Time{
		0, 1, 1, 5 * ms, 4 * ms, hour, hour + 3*ms, hour - 4*ms, 2 * hour, 2*hour + 1, -hour, -hour + 1, -2 * hour, 3 * hour, 3 * hour, 0, 1,
	} {
		r := task(ofType([]string{"a", "b"}[i%2]), withLabels(map[string]string{"n": fmt.Sprint(i % 3)}))
		r.CreatedAt = base + at
		batch = append(batch, r)
	}
	f.accept(batch...)
	for range 5 { // of the first some end, some run, and the others wait
		f.finish(f.claim(), completed)
		f.claim()
	}
	bounds := []schema.Time{0, base - 3*hour}
	var all []schema.Task
	for _, r := range batch {
		bounds = append(bounds, r.CreatedAt, r.CreatedAt+1)
		all = append(all, f.get(r.ID).Task)
	}
	rest := []executor.Filter{
		{}, {Types: []string{"b"}}, {Labels: map[string]string{"n": "1"}}, {States: []schema.State{schema.Running, schema.Queued}},
	}
	for i, since := range bounds {
		for j, until := range bounds {
			filter := rest[(i+j)%len(rest)]
			var want []uuid.UUID
			for i := range all {
				at := all[i].CreatedAt
				if filter.Match(&all[i]) && since <= at && (until == 0 || at < until) {
					want = append(want, all[i].ID)
				}
			}
			filter.Since, filter.Until = since, until
			require.Equal(f, want, f.list(filter, executor.PageRequest{Oldest: true, Limit: 1 + i%4}), filter)
			require.Equal(f, backwards(want), f.list(filter, executor.PageRequest{Limit: 1 + j%20}), filter)
		}
	}
}

// listStable reads pages while each second task is run and forgotten, and new
// ones come: what stays is seen once.
func listStable(f *fixture) {
	for _, oldest := range []bool{true, false} {
		ids := f.many(60)
		gone := map[uuid.UUID]bool{}
		seen := map[uuid.UUID]int{}
		page := executor.PageRequest{Oldest: oldest, Limit: 7}
		for n := 0; ; n++ {
			found, err := f.store.List(f.Context(), executor.Filter{}, page)
			require.NoError(f, err)
			for _, t := range found.Tasks {
				seen[t.ID]++
			}
			if page.Cursor = found.Next; page.Cursor == "" {
				break
			}
			if n < 20 {
				f.many(2)
				for i := n; i < len(ids); i += 20 {
					f.cancel(ids[i], executor.Cancellation{})
					gone[ids[i]] = true
				}
			}
			require.Less(f, n, 100, "a list that does not end")
		}
		for i, id := range ids {
			require.LessOrEqual(f, seen[id], 1, i)
			if !gone[id] {
				require.Equal(f, 1, seen[id], fmt.Sprint(i, " of oldest ", oldest))
			}
		}
	}
}

func listBadCursor(f *fixture) {
	f.many(3)
	for _, cursor := range []string{"!", " ", "-1", "no such cursor", "zzzzzzzzzzzzzzzzzzzzzzzz"} {
		for _, oldest := range []bool{false, true} {
			_, err := f.store.List(f.Context(), executor.Filter{}, executor.PageRequest{Oldest: oldest, Limit: 1, Cursor: cursor})
			var wrong *executor.InputError
			require.ErrorAs(f, err, &wrong, cursor)
			require.Equal(f, "/cursor", wrong.Violations[0].Pointer)
		}
	}
}
