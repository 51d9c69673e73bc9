package plan_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// every takes all tasks that ask for no labels.
var every = plan.Taker{Types: func(string) bool { return true }}

func numbered(n int) *plan.Task {
	t := &plan.Task{Type: "exec", Order: uint64(n), Conditions: new(schema.Conditions)}
	binary.BigEndian.PutUint64(t.ID[8:], uint64(n)+1)
	return t
}

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkMillion has a million tasks of 10,000 groups with limits, and 100,000 keys.
func BenchmarkMillion(b *testing.B) {
	const tasks, groups, keys = 1_000_000, 10_000, 100_000
	var groupNames, keyNames []string
	for i := range keys {
		keyNames = append(keyNames, fmt.Sprint("key ", i))
	}
	for i := range groups {
		groupNames = append(groupNames, fmt.Sprint("group ", i))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		before := memory()
		p := plan.New()
		for _, g := range groupNames {
			p.SetGroup(g, plan.Settings{Limit: 2}, 1)
		}
		began := time.Now()
		for i := range tasks {
			t := numbered(i)
			t.Conditions.Group, t.Conditions.Key = groupNames[random.IntN(groups)], keyNames[random.IntN(keys)]
			p.Add(t, 1, nil)
		}
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/tasks, "ns/add")
		b.ReportMetric(float64(memory()-before)/tasks, "B/task")
		var claims []time.Duration
		var running []*plan.Task
		for n := 0; n < tasks; n++ {
			began := time.Now()
			t, _ := p.Peek(every, 0, 1)
			p.Take(t, 1)
			p.Changes()
			claims = append(claims, time.Since(began))
			if running = append(running, t); len(running) == 16 {
				p.Release(running[0], 1)
				running = running[1:]
			}
		}
		slices.Sort(claims)
		b.ReportMetric(float64(claims[tasks*99/100].Nanoseconds()), "ns-p99/claim")
		b.ReportMetric(float64(claims[tasks/2].Nanoseconds()), "ns-p50/claim")
	}
}

// BenchmarkTree drains a binary tree of a million tasks.
func BenchmarkTree(b *testing.B) {
	const tasks = 1_000_000
	for b.Loop() {
		p := plan.New()
		all := make([]plan.Node, tasks)
		for i := range all {
			task := numbered(i)
			all[i].ID = task.ID
			if i > 0 {
				task.Conditions.After = []schema.Dependency{{ID: all[(i-1)/2].ID}}
			}
			p.Add(task, 1, func(int) *plan.Node { return &all[(i-1)/2] })
		}
		began := time.Now()
		for range tasks {
			t, _ := p.Peek(every, 0, 1)
			p.Take(t, 1)
			p.Ended(t.ID, &all[t.Order], schema.Completed)
			p.Release(t, 1)
			p.Changes()
		}
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/tasks, "ns/task")
	}
}

// BenchmarkOthers claims a task before which 100,000 others stand that the taker does not take.
func BenchmarkOthers(b *testing.B) {
	const others = 100_000
	taker := plan.Taker{Types: func(name string) bool { return name == "exec" }, Labels: map[string]string{"gpu": "a100", "os": "linux"}}
	for name, make := range map[string]func(t *plan.Task){
		"none":              nil,
		"of a type":         func(t *plan.Task) { t.Type = "other" },
		"of 1000 types":     func(t *plan.Task) { t.Type = fmt.Sprint("other ", t.Order%1000) },
		"for a label":       func(t *plan.Task) { t.Conditions.On = map[string]string{"gpu": "h100"} },
		"for 100000 labels": func(t *plan.Task) { t.Conditions.On = map[string]string{"host": fmt.Sprint("h", t.Order)} },
	} {
		b.Run(name, func(b *testing.B) {
			p := plan.New()
			for i := range others {
				if t := numbered(i); make != nil {
					t.Priority = 9
					make(t)
					p.Add(t, 1, nil)
				}
			}
			mine := numbered(others)
			mine.Conditions.On = map[string]string{"gpu": "a100"}
			for b.Loop() {
				p.Add(mine, 1, nil)
				t, _ := p.Peek(taker, 1, 1)
				p.Take(t, 1)
				p.Release(t, 1)
				p.Changes()
			}
		})
	}
}
