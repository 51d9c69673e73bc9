package top

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// mostParts is how many parts of a task are shown. A task can have any number of them.
	mostParts = 50
	// mostUnfolded is how many tasks show their parts at once.
	mostUnfolded = 16
	// pagesOfParts is how many pages of a list are read to find parts in a state: a page of a task with
	// many parts may have none.
	pagesOfParts = 4
)

// parts are those of a task that are shown.
type parts struct {
	items []*item
	more  int64 // how many there are beside those
}

// partStates are the states of parts, in the order in which they are shown: where there are more
// parts than are shown, those that say most come first.
var partStates = [...]struct {
	states []schema.State
	order  schema.ListOrder
}{
	{[]schema.State{schema.Running}, schema.OldestFirst},
	{[]schema.State{schema.Failed}, schema.NewestFirst},
	{[]schema.State{schema.Queued}, schema.OldestFirst},
	{[]schema.State{schema.Completed, schema.Cancelled}, schema.NewestFirst},
}

// lookAtParts asks for the parts of the tasks that show them.
func (s *source) lookAtParts(ctx context.Context, c *client.Client, w *world, of []uuid.UUID) error {
	found := map[uuid.UUID][]schema.Task{}
	more := map[uuid.UUID]int64{}
	for _, parent := range of {
		t, err := c.Status(ctx, schema.StatusParams{ID: parent, IncludeChildren: true})
		if err == nil && t.Children != nil {
			found[parent], err = listParts(ctx, c, parent, t.Children)
			more[parent] = max(0, totalOf(t.Children)-int64(len(found[parent])))
		}
		if err != nil && !answered(err) { // else it is no longer kept, or the server knows no parts
			return err
		}
	}
	w.listedParts(of, found, more)
	return nil
}

// totalOf is how many tasks there are in all states.
func totalOf(counts *schema.TaskCounts) (n int64) {
	for state := range schema.StateNames {
		n += *counts.Of(schema.State(state))
	}
	return n
}

// listParts asks for the parts of a task that are shown, of which there are so many.
func listParts(ctx context.Context, c *client.Client, parent uuid.UUID, counts *schema.TaskCounts) (found []schema.Task, err error) {
	for _, wanted := range partStates {
		left := int64(0)
		for _, state := range wanted.states {
			left += *counts.Of(state)
		}
		p := schema.ListParams{Parent: parent, States: wanted.states, Order: wanted.order}
		for range pagesOfParts {
			p.Limit = min(int(left), mostParts-len(found))
			if p.Limit <= 0 {
				break
			}
			page, err := c.List(ctx, p)
			if err != nil {
				return found, err
			}
			found, left = append(found, page.Tasks...), left-int64(len(page.Tasks))
			if p.Cursor = page.NextCursor; p.Cursor == "" {
				break
			}
		}
	}
	return found, nil
}

// listedParts takes lists for the parts of tasks.
func (w *world) listedParts(of []uuid.UUID, found map[uuid.UUID][]schema.Task, more map[uuid.UUID]int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := make(map[uuid.UUID]parts, len(of))
	for _, parent := range of {
		items := w.itemsLocked(found[parent])
		for _, it := range items {
			it.Result = nil // it may be large, and no list shows it
		}
		now[parent] = parts{items, more[parent]}
	}
	w.parts = now
}

// partsLocked calls f for the parts that are shown, until it answers false.
func (w *world) partsLocked(f func(*item) bool) {
	for _, p := range w.parts {
		if slices.ContainsFunc(p.items, func(it *item) bool { return !f(it) }) {
			return
		}
	}
}

// parentsLocked are the tasks that are known to have parts.
func (w *world) parentsLocked() map[uuid.UUID]bool {
	parents := map[uuid.UUID]bool{}
	note := func(it *item) bool {
		if it.hasParts {
			parents[it.ID] = true
		}
		if it.Conditions != nil && it.Conditions.Parent != uuid.Nil {
			parents[it.Conditions.Parent] = true
		}
		return true
	}
	for _, it := range w.running {
		note(it)
	}
	for _, list := range [][]*item{w.queued, w.ended} {
		for _, it := range list {
			note(it)
		}
	}
	w.partsLocked(note)
	return parents
}
