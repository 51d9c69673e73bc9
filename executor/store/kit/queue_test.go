package kit_test

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// queued is an entry as the model has it.
type queued struct {
	entry    *kit.Entry[int]
	typ      string
	priority int8
}

// TestQueueAgainstASortedSlice compares the queue with a slice that is sorted
// anew for every look.
func TestQueueAgainstASortedSlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var q kit.Queue[int]
		var model, taken []queued
		types, priorities := map[int]string{}, map[int]int8{} // by value
		last := uint64(0)
		next := func(held map[string]bool) *queued {
			free := slices.DeleteFunc(slices.Clone(model), func(e queued) bool { return held[e.typ] })
			slices.SortStableFunc(free, func(a, b queued) int { return int(b.priority) - int(a.priority) })
			if len(free) == 0 {
				return nil
			}
			return &free[0]
		}
		rt.Repeat(map[string]func(*rapid.T){
			"push": func(rt *rapid.T) {
				e := queued{
					&kit.Entry[int]{Value: len(types)},
					rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "type"),
					rapid.SampledFrom([]int8{executor.MinPriority, -37, -36, 0, 0, 0, 27, 28, executor.MaxPriority}).Draw(rt, "priority"),
				}
				types[e.entry.Value], priorities[e.entry.Value] = e.typ, e.priority
				if gap := rapid.Uint64Range(0, 3).Draw(rt, "gap"); gap > 0 {
					last += gap
					q.PushAs(e.entry, last, e.typ, e.priority)
				} else {
					last++
					q.Push(e.entry, e.typ, e.priority)
				}
				require.Equal(rt, last, e.entry.Order())
				model = append(model, e)
			},
			"return": func(rt *rapid.T) {
				if len(taken) == 0 {
					rt.Skip("nothing was taken out")
				}
				back := rapid.Permutation(taken).Draw(rt, "back")[:rapid.IntRange(1, len(taken)).Draw(rt, "n")]
				entries := make([]*kit.Entry[int], len(back))
				for i := range back {
					entries[i] = back[i].entry
				}
				q.Return(entries, func(v int) (string, int8) { return types[v], priorities[v] })
				for _, e := range entries {
					require.True(rt, e.Queued())
				}
				taken = slices.DeleteFunc(taken, func(e queued) bool { return e.entry.Queued() })
				model = append(model, back...)
				slices.SortFunc(model, func(a, b queued) int { return cmp.Compare(a.entry.Order(), b.entry.Order()) })
			},
			"remove": func(rt *rapid.T) {
				if len(model) == 0 {
					rt.Skip("nothing is queued")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "i")
				q.Remove(model[i].entry)
				require.False(rt, model[i].entry.Queued())
				taken = append(taken, model[i])
				model = slices.Delete(model, i, i+1)
			},
			"next": func(rt *rapid.T) {
				held := map[string]bool{}
				for _, typ := range []string{"a", "b", "c"} {
					held[typ] = rapid.Bool().Draw(rt, "held")
				}
				got, want := q.Next(func(typ string) bool { return !held[typ] }), next(held)
				require.Equal(rt, want == nil, got == nil)
				if want != nil {
					require.Same(rt, want.entry, got)
					require.True(rt, got.Queued())
				}
			},
			"": func(rt *rapid.T) {
				require.Equal(rt, len(model), q.Len())
				ofA := 0
				for _, e := range model {
					if e.typ == "a" {
						ofA++
					}
				}
				require.Equal(rt, ofA, q.Count(func(typ string) bool { return typ == "a" }))
			},
		})
		all := func(string) bool { return true }
		for want := next(nil); want != nil; want = next(nil) {
			require.Same(rt, want.entry, q.Next(all))
			q.Remove(want.entry)
			model = slices.DeleteFunc(model, func(e queued) bool { return e.entry == want.entry })
		}
		require.Nil(rt, q.Next(all))
	})
}

func TestOrderNumbersRiseAndStay(t *testing.T) {
	var q kit.Queue[string]
	var a, b, c kit.Entry[string]
	q.Push(&a, "t", 0)
	q.PushAs(&b, 7, "t", 0)
	q.Push(&c, "t", 0)
	require.Equal(t, [3]uint64{1, 7, 8}, [3]uint64{a.Order(), b.Order(), c.Order()})
	q.Remove(&a)
	require.Equal(t, uint64(1), a.Order())
}

// TestReturnWalksOnce takes half of a long queue out and puts it back: were each
// looked for by itself, it would not be over within a test's time.
func TestReturnWalksOnce(t *testing.T) {
	const length = 1_000_000
	var q kit.Queue[int]
	entries := make([]kit.Entry[int], length)
	var out []*kit.Entry[int]
	for i := range entries {
		q.Push(&entries[i], "t", 0)
	}
	for i := range entries {
		if i%2 == 1 {
			q.Remove(&entries[i])
			out = append(out, &entries[i])
		}
	}
	q.Return(out, func(int) (string, int8) { return "t", 0 })
	require.Equal(t, length, q.Len())
	at := &entries[0]
	for i := range entries {
		require.True(t, at == &entries[i], i)
		at = at.Next()
	}
	require.Nil(t, at)
}

func TestFIFO(t *testing.T) {
	var f kit.FIFO[int]
	require.Nil(t, f.First())
	entries := make([]kit.Entry[int], 5)
	for i := range entries {
		f.Push(&entries[i])
	}
	for n, i := range []int{2, 0, 4, 1, 3} {
		require.True(t, entries[i].Queued())
		f.Remove(&entries[i])
		require.False(t, entries[i].Queued())
		require.Equal(t, 4-n, f.Len())
		if n == 1 {
			require.Same(t, &entries[1], f.First())
		}
	}
	require.Nil(t, f.First())
}

// TestQueueCostsNoMemory holds at any length: an entry is its place.
func TestQueueCostsNoMemory(t *testing.T) {
	for _, length := range []int{10, 100_000} {
		var q kit.Queue[int]
		entries := make([]kit.Entry[int], length+1)
		for i := range length {
			q.Push(&entries[i], "t", int8(i%201-100))
		}
		last := &entries[length]
		all := func(string) bool { return true }
		allocs := testing.AllocsPerRun(100, func() {
			q.Push(last, "t", 0)
			q.Next(all)
			q.Remove(last)
		})
		require.Zero(t, allocs, fmt.Sprint("at a length of ", length))
	}
}

// BenchmarkQueue pushes and takes one entry of a queue of 100,000.
func BenchmarkQueue(b *testing.B) {
	var q kit.Queue[int]
	entries := make([]kit.Entry[int], 100_000)
	for i := range entries {
		q.Push(&entries[i], "t", int8(i%201-100))
	}
	all := func(string) bool { return true }
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := q.Next(all)
		q.Remove(e)
		q.Push(e, "t", int8(i%201-100))
	}
}

// However many types there have been, a queue keeps nothing of those that have no entries.
func TestQueueForgetsTypes(t *testing.T) {
	const types = 2000
	var q kit.Queue[int]
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	every := func(string) bool { return true }
	before := heap()
	for i := range types {
		var e kit.Entry[int]
		q.Push(&e, fmt.Sprint("invented", i), 0)
		require.Equal(t, &e, q.Next(every))
		q.Remove(&e)
	}
	require.Less(t, heap(), before+types*100, "a lane has some thousand bytes")
	runtime.KeepAlive(&q)
}
