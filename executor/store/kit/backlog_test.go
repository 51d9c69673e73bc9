package kit_test

import (
	"cmp"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor/store/kit"
)

// placed is a task of the backlog as the model has it.
type placed struct {
	kit.Waiting
	typ      string
	priority int8
}

// TestBacklogAgainstASlice compares the backlog with a slice that is scanned in full for every look.
func TestBacklogAgainstASlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var b kit.Backlog
		var model, taken []placed
		last := uint64(0)
		best := func(takes func(string) bool) *placed {
			var first *placed
			for i := range model {
				if p := &model[i]; takes(p.typ) && (first == nil || cmp.Or(cmp.Compare(first.priority, p.priority), cmp.Compare(p.Order, first.Order)) < 0) {
					first = p
				}
			}
			return first
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				p := placed{typ: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "type"), priority: rapid.SampledFrom([]int8{-100, 0, 7}).Draw(rt, "priority")}
				p.Owner, p.Events = 1, 2
				if rapid.IntRange(0, 9).Draw(rt, "owner") == 0 {
					p.Owner = 2
				}
				for range rapid.IntRange(1, 400).Draw(rt, "n") {
					last += uint64(rapid.SampledFrom([]int{1, 1, 1, 2}).Draw(rt, "gap"))
					p.Order = last
					b.Add(p.typ, p.priority, p.Waiting)
					model = append(model, p)
				}
			},
			"remove": func(rt *rapid.T) {
				if len(model) == 0 {
					rt.Skip("nothing waits")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(rt, "i")
				for range rapid.IntRange(1, 400).Draw(rt, "n") {
					if len(model) == 0 {
						return
					}
					i %= len(model)
					p := model[i]
					w, found := b.Remove(p.typ, p.priority, p.Order)
					require.True(rt, found)
					require.Equal(rt, p.Waiting, w)
					_, found = b.Remove(p.typ, p.priority, p.Order)
					require.False(rt, found)
					taken, model = append(taken, p), slices.Delete(model, i, i+1)
				}
			},
			"return": func(rt *rapid.T) {
				if len(taken) == 0 {
					rt.Skip("nothing was taken out")
				}
				i := rapid.IntRange(0, len(taken)-1).Draw(rt, "i")
				for _, p := range taken[i:] {
					b.Add(p.typ, p.priority, p.Waiting)
				}
				model, taken = append(model, taken[i:]...), taken[:i]
			},
			"": func(rt *rapid.T) {
				require.Equal(rt, len(model), b.Len())
				ofA := 0
				for _, p := range model { // of thousands: an assertion each would take most of the time
					if !b.Has(p.typ, p.priority, p.Order) {
						require.Fail(rt, "it has lost a task", p)
					}
					if p.typ == "a" {
						ofA++
					}
				}
				for _, p := range taken {
					if b.Has(p.typ, p.priority, p.Order) {
						require.Fail(rt, "it has a task that was taken out", p)
					}
				}
				isA := func(typ string) bool { return typ == "a" }
				require.Equal(rt, ofA, b.Count(isA))
				for _, takes := range []func(string) bool{isA, func(string) bool { return true }} {
					priority, order, found := b.Best(takes)
					want := best(takes)
					require.Equal(rt, want != nil, found)
					if found {
						require.Equal(rt, want.Order, order)
						require.Equal(rt, want.priority, priority)
						require.False(rt, b.Precedes(want.typ, priority, order))
						require.True(rt, b.Precedes(want.typ, priority, order+1))
					}
				}
				for typ := range b.Types() {
					first := best(func(t string) bool { return t == typ })
					most := rapid.IntRange(1, 300).Draw(rt, "most")
					priority, spans := b.First(typ, most)
					require.Equal(rt, first.priority, priority)
					var got, want []uint64
					for _, s := range spans {
						for n := range s.N {
							got = append(got, s.First+uint64(n))
						}
					}
					for _, p := range model {
						if p.typ == typ && p.priority == priority {
							want = append(want, p.Order)
						}
					}
					slices.Sort(want)
					require.Equal(rt, want[:min(most, len(want))], got)
				}
			},
		})
	})
}

// TestBacklogIsSmall: neighbours take next to nothing, and a task without a neighbour
// little, also where most of those beside it have gone.
func TestBacklogIsSmall(t *testing.T) {
	const length = 200_000
	for name, c := range map[string]struct {
		priorities int
		keepEvery  int
		most       float64
	}{
		"neighbours":             {1, 1, 0.1},
		"no neighbours":          {2, 1, 30},
		"most were cancelled":    {1, 10, 150},
		"most of those are gone": {2, 10, 150},
	} {
		t.Run(name, func(t *testing.T) {
			before := heapInUse()
			b := new(kit.Backlog)
			for i := range length {
				b.Add("t", int8(i%c.priorities), kit.Waiting{Order: uint64(i), Owner: 1, Events: 1})
			}
			for i := range length {
				if i%c.keepEvery != 0 {
					b.Remove("t", int8(i%c.priorities), uint64(i))
				}
			}
			each := (heapInUse() - before) / float64(b.Len())
			require.Less(t, each, c.most, "bytes a task")
			runtime.KeepAlive(b)
		})
	}
}

func heapInUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
