package memory

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// This file writes the planner, the trees and the terms of tasks to a snapshot.

// planHead is the first item of a blockPlan.
type planHead struct {
	Paused    bool             `json:"paused,omitzero"`
	Resources map[string]int64 `json:"resources,omitempty"`
}

// groupState is a group that has settings, as an item of a blockPlan.
type groupState struct {
	Name     string  `json:"name"`
	Limit    int     `json:"limit,omitzero"`
	Paused   bool    `json:"paused,omitzero"`
	Count    int     `json:"count,omitzero"`
	Per      int64   `json:"per,omitzero"` // nanoseconds
	Defaults string  `json:"defaults,omitzero"`
	Starts   []int64 `json:"starts,omitempty"` // when its latest tasks started
}

func groupStateOf(name string, s plan.Settings, starts []schema.Time) *groupState {
	g := &groupState{Name: name, Limit: s.Limit, Paused: s.Paused, Count: s.Rate.Count, Per: int64(s.Rate.Per), Defaults: s.Defaults}
	for _, at := range starts {
		g.Starts = append(g.Starts, int64(at))
	}
	return g
}

func (g *groupState) settings() (s plan.Settings, starts []schema.Time) {
	for _, at := range g.Starts {
		starts = append(starts, schema.Time(at))
	}
	return plan.Settings{Limit: g.Limit, Paused: g.Paused, Rate: plan.Rate{Count: g.Count, Per: time.Duration(g.Per)}, Defaults: g.Defaults}, starts
}

func (w *snapshotWriter) plan() error {
	p := &w.replica.planned
	var all plan.Overview
	err := w.writeBlock(blockPlan, func() {
		all = p.Overview()
		head := planHead{Paused: all.Paused, Resources: map[string]int64{}}
		for _, r := range all.Resources {
			head.Resources[r.Name] = r.Total
		}
		w.json(&head)
		for _, g := range all.Groups {
			if g.Settings != (plan.Settings{}) {
				w.json(groupStateOf(g.Name, g.Settings, p.Starts(g.Name)))
			}
		}
	})
	if err != nil {
		return err
	}
	return w.writeBlocksLocked(blockParked, func(yield func(func()) bool) {
		for _, t := range p.Parked() {
			if !yield(func() { w.id(t.ID) }) {
				return
			}
		}
	})
}

// writeBlocksLocked is writeBlocks for items that each finds while mu is held throughout.
func (w *snapshotWriter) writeBlocksLocked(kind blockKind, each func(yield func(write func()) bool)) (err error) {
	w.replica.mu.Lock()
	defer w.replica.mu.Unlock()
	w.begin(kind)
	each(func(write func()) bool {
		if write(); !w.full() {
			return true
		}
		err = w.end()
		w.begin(kind)
		return err == nil
	})
	if err != nil || w.empty() {
		return err
	}
	return w.end()
}

func (w *snapshotWriter) trees() error {
	t := &w.replica.Store.trees
	err := w.writeBlocksLocked(blockTrees, func(yield func(func()) bool) {
		t.Nodes(func(n kit.TreeNode) bool { return yield(func() { w.node(&n) }) })
	})
	if err != nil {
		return err
	}
	return w.writeBlocksLocked(blockUntold, func(yield func(func()) bool) {
		for _, id := range t.UntoldOnes() {
			if !yield(func() { w.id(id) }) {
				return
			}
		}
	})
}

// The bits of a node of a tree.
const (
	nodeIsChild = 1 << iota
	nodeIsKept
	nodeIsOwn
	nodeIsParent
)

func (w *snapshotWriter) node(n *kit.TreeNode) {
	w.byte(bitsOf(n.Parent != uuid.Nil, n.Kept, n.Own, n.Counts != nil))
	w.id(n.ID)
	w.byte(byte(n.State))
	w.int(n.Fraction)
	if n.Parent != uuid.Nil {
		w.id(n.Parent)
		w.uint(n.Order)
	}
	if c := n.Counts; c != nil {
		for _, count := range []int64{c.Queued, c.Running, c.Completed, c.Failed, c.Cancelled, n.Done} {
			w.int(count)
		}
	}
}

// ring has the values that were written or read last in a block, so that a value that many tasks share is
// written once. The writer and the reader keep the same ring.
type ring[T any] struct {
	all  [16]*T
	next int // where the next new value goes
	last int // the place of the value that was used last
}

// newInRing stands in the place of an index into the ring: a new value follows.
const newInRing = 0xff

func (g *ring[T]) add(t *T) {
	g.last = g.next
	g.all[g.next] = t
	g.next = (g.next + 1) % len(g.all)
}

// find is the place of an equal value, or -1.
func (g *ring[T]) find(t *T, same func(a, b *T) bool) int {
	if l := g.all[g.last]; l != nil && (l == t || same(l, t)) { // the usual case
		return g.last
	}
	return slices.IndexFunc(g.all[:], func(o *T) bool { return o != nil && (o == t || same(o, t)) })
}

// ranOn writes the executor that ran a task.
func (w *snapshotWriter) ranOn(on *schema.RunsOn) {
	if place := w.writtenExecutors.find(on, func(a, b *schema.RunsOn) bool { return *a == *b }); place >= 0 {
		w.writtenExecutors.last = place
		w.byte(byte(place))
		return
	}
	w.writtenExecutors.add(on)
	w.byte(newInRing)
	w.text(on.Executor)
	w.text(on.Host)
}

// same is equals without the fields that are of one process.
func (t *terms) same(o *terms) bool {
	return t.typ == o.typ && t.timeout == o.timeout && t.grace == o.grace && t.rerun == o.rerun && sameLabels(t.labels, o.labels)
}

func (w *snapshotWriter) terms(t *terms) {
	if place := w.writtenTerms.find(t, (*terms).same); place >= 0 {
		w.writtenTerms.last = place
		w.byte(byte(place))
		return
	}
	w.writtenTerms.add(t)
	w.byte(newInRing)
	w.text(t.typ)
	w.int(int64(t.timeout))
	w.int(int64(t.grace))
	w.flag(t.rerun)
	w.uint(uint64(len(t.labels)))
	for _, name := range slices.Sorted(maps.Keys(t.labels)) {
		w.text(name)
		w.text(t.labels[name])
	}
}
