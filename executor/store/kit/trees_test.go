package kit

import (
	"cmp"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// forest is a naive model of Trees: a list of tasks, which is scanned in full.
type forest struct{ tasks map[uuid.UUID]*leaf }

type leaf struct {
	id, parent uuid.UUID
	order      uint64
	state      schema.State
	kept       bool
}

// below are the tasks below one, in any state.
func (f *forest) below(id uuid.UUID) (all []*leaf) {
	for _, t := range f.tasks {
		if t.parent == id {
			all = append(append(all, t), f.below(t.id)...)
		}
	}
	return all
}

// children are those of a task that are kept, by their order.
func (f *forest) children(id uuid.UUID) (ids []uuid.UUID) {
	for _, t := range f.tasks {
		if t.parent == id && t.kept {
			ids = append(ids, t.id)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return cmp.Compare(f.tasks[a].order, f.tasks[b].order) })
	return ids
}

// lost are the topmost open tasks of each branch below one that is no longer kept.
func (f *forest) lost(id uuid.UUID, above bool) (ids []uuid.UUID) {
	for _, t := range f.tasks {
		switch {
		case t.parent != id:
		case open(t) && above:
			ids = append(ids, t.id)
		default:
			ids = append(ids, f.lost(t.id, above || !t.kept)...)
		}
	}
	return ids
}

func (f *forest) counts(id uuid.UUID) schema.TaskCounts {
	var c schema.TaskCounts
	for _, t := range f.tasks {
		if t.parent == id {
			*c.Of(t.state)++
		}
	}
	return c
}

// some draws a task that is selected, or nil.
func (f *forest) some(t *rapid.T, selected func(*leaf) bool) *leaf {
	var all []*leaf
	for _, l := range f.tasks {
		if selected(l) {
			all = append(all, l)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.SortFunc(all, func(a, b *leaf) int { return cmp.Compare(a.order, b.order) })
	return rapid.SampledFrom(all).Draw(t, "task")
}

func open(l *leaf) bool { return !l.state.Final() }

// TestTreesAreAsTheModelSays compares Trees after each of many random steps with a list of all tasks.
func TestTreesAreAsTheModelSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var trees Trees
		f := &forest{map[uuid.UUID]*leaf{}}
		order := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"root": func(t *rapid.T) {
				order++
				f.tasks[treeID(order)] = &leaf{id: treeID(order), order: order}
			},
			"child": func(t *rapid.T) {
				for range rapid.IntRange(1, 8).Draw(t, "children") {
					p := f.some(t, open)
					if p == nil {
						return
					}
					order++
					f.tasks[treeID(order)] = &leaf{id: treeID(order), parent: p.id, order: order, kept: true}
					trees.Add(&schema.Conditions{Parent: p.id}, treeID(order), order)
				}
			},
			"run": func(t *rapid.T) {
				if l := f.some(t, open); l != nil {
					l.state = schema.Running
					trees.Move(&schema.Conditions{Parent: l.parent}, l.id, schema.Running)
				}
			},
			"end": func(t *rapid.T) {
				if l := f.some(t, open); l != nil {
					l.state = rapid.SampledFrom([]schema.State{schema.Completed, schema.Failed, schema.Cancelled}).Draw(t, "as")
					trees.End(l.id, l.state)
				}
			},
			"forget": func(t *rapid.T) {
				if l := f.some(t, func(l *leaf) bool { return l.kept && !open(l) }); l != nil {
					l.kept = false
					trees.Forget(l.id)
				}
			},
			"walk": func(t *rapid.T) {
				l := f.some(t, func(l *leaf) bool { return !open(l) })
				if l == nil {
					return
				}
				w := executor.WalkBelow(l.id)
				more := rapid.IntRange(0, 5).Draw(t, "children") // of tasks that the walk has come to
				for id := openBelow(&trees, w); id != uuid.Nil; id = openBelow(&trees, w) {
					if more--; more >= 0 {
						order++
						f.tasks[treeID(order)] = &leaf{id: treeID(order), parent: id, order: order, kept: true}
						trees.Add(&schema.Conditions{Parent: id}, treeID(order), order)
					}
					require.Equal(t, id, openBelow(&trees, w), "it has not ended")
					f.tasks[id].state = schema.Completed
					trees.End(id, schema.Completed)
				}
				require.False(t, slices.ContainsFunc(f.below(l.id), open))
			},
			"": func(t *rapid.T) { compareTrees(t, &trees, f) },
		})
		for _, l := range f.tasks { // all end, and are forgotten
			if open(l) {
				trees.End(l.id, schema.Completed)
			}
		}
		for _, l := range f.tasks {
			trees.Forget(l.id)
		}
		require.Empty(t, trees.nodes, "memory is left")
		require.Zero(t, trees.lost)
	})
}

func openBelow(trees *Trees, w *executor.TreeWalk) (id uuid.UUID) {
	for more := true; more; {
		id, more = trees.OpenBelow(w)
	}
	return id
}

func treeID(order uint64) uuid.UUID {
	return uuid.UUID{6: 0x40, 8: 0x80, 14: byte(order >> 8), 15: byte(order)}
}

func compareTrees(t *rapid.T, trees *Trees, f *forest) {
	for _, l := range f.tasks {
		want := f.children(l.id)
		require.Equal(t, want, childrenFrom(trees, l.id, 0, true))
		got := childrenFrom(trees, l.id, 1<<62, false)
		slices.Reverse(got)
		require.Equal(t, want, got)
		var from uint64
		if len(want) > 1 {
			from = f.tasks[want[0]].order
			require.Equal(t, want[1:], childrenFrom(trees, l.id, from, true))
		}
		toCancel := map[uuid.UUID]bool{}
		for _, b := range f.below(l.id) {
			if open(b) {
				toCancel[b.id] = true
			}
		}
		told := map[uuid.UUID]bool{}
		if d := trees.Descend(l.id, executor.Cancellation{}); d != nil {
			for more := true; more; {
				var ids []uuid.UUID
				ids, more = trees.Next(d)
				for _, id := range ids {
					parent := f.tasks[id].parent
					require.False(t, told[id], "it is told twice")
					require.True(t, parent == l.id || told[parent] || !open(f.tasks[parent]), "it is told before its parent")
					told[id] = true
				}
			}
		}
		require.Equal(t, toCancel, told)
		lost := trees.LostBelow(l.id)
		require.ElementsMatch(t, f.lost(l.id, false), lost)
		if open(l) && len(f.below(l.id)) > 0 {
			require.Equal(t, f.counts(l.id), *trees.Counts(l.id))
			p := trees.Progress(l.id)
			c := f.counts(l.id)
			require.Equal(t, float64(c.Queued+c.Running+c.Completed+c.Failed+c.Cancelled), p.Total)
			require.GreaterOrEqual(t, p.Value, float64(c.Completed+c.Failed+c.Cancelled))
			require.LessOrEqual(t, p.Value, p.Total)
		}
	}
}

func childrenFrom(trees *Trees, id uuid.UUID, from uint64, oldest bool) (ids []uuid.UUID) {
	trees.EachChild(id, from, oldest, func(child uuid.UUID, _ uint64) bool {
		ids = append(ids, child)
		return true
	})
	return ids
}

// A task never becomes a child of one below it, as one whose id was forgotten, and came again, might: what goes up the tree
// would never come to an end.
func TestNoTaskIsBelowItself(t *testing.T) {
	var trees Trees
	top, middle, low := uuid.New(), uuid.New(), uuid.New()
	require.False(t, trees.Has(top))
	trees.Add(&schema.Conditions{Parent: top}, middle, 1)
	trees.Add(&schema.Conditions{Parent: middle}, low, 2)
	trees.End(top, schema.Completed)
	trees.Forget(top)
	require.True(t, trees.Has(top))
	trees.Add(&schema.Conditions{Parent: low}, top, 3)
	require.Nil(t, trees.CancelOf(low))
	require.Nil(t, trees.Counts(low))
	for _, id := range []uuid.UUID{low, middle} {
		trees.End(id, schema.Completed)
		trees.Forget(id)
	}
	require.False(t, trees.Has(top))
	require.Empty(t, trees.nodes)
}
