package history

import (
	"cmp"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// outputIsWhole: guarantee 7, also for a slow reader: gaps are reported, every byte is
// at its offset, and at the end nothing is missing.
func (x *index) outputIsWhole() {
	for _, t := range x.order {
		if t.fresh == nil || !submitAsks(t.fresh.params.(*schema.SubmitParams), schema.EventOutput) {
			continue
		}
		lossless := t.fresh.params.(*schema.SubmitParams).Output == schema.OutputLossless && t.final != nil && t.final.State == schema.Completed
		next := [len(schema.StreamNames)]int64{}
		for _, ev := range t.events {
			switch {
			case ev.client != t.fresh.client || len(ev.replays) > 0:
			case ev.method == schema.NotifyOutput:
				if ev.Offset != next[ev.Stream]+ev.Gap {
					x.fail("7", t, "%s goes on at %d with a gap of %d, after %d", ev.Stream, ev.Offset, ev.Gap, next[ev.Stream])
				}
				if lossless && ev.Gap > 0 {
					x.fail("7", t, "%s at %d has a gap of %d, and is to be lossless", ev.Stream, ev.Offset, ev.Gap)
				}
				if ev.Data != textAt(ev.Stream, ev.Offset, len(ev.Data)) {
					x.fail("7", t, "%s at %d is not what the task wrote: %.40q", ev.Stream, ev.Offset, ev.Data)
				}
				next[ev.Stream] = ev.Offset + int64(len(ev.Data))
			case ev.method == schema.NotifyFinished:
				if out := ev.task.OutputBytes; out != nil && next != [...]int64{out.Stdout, out.Stderr, out.Log} {
					x.fail("7", t, "it wrote %+v, and client %d was sent up to %v", *out, ev.client, next)
				}
			}
		}
	}
	for _, rq := range x.requests {
		if r, ok := answerOf[*schema.OutputResult](rq); ok {
			x.outputAnswered(rq, r)
		}
	}
}

func (x *index) outputAnswered(rq *request, r *schema.OutputResult) {
	p, stream := rq.params.(*schema.OutputParams), schema.Stdout
	if p.Stream != nil {
		stream = *p.Stream
	}
	if r.Data != textAt(stream, r.Offset, len(r.Data)) || r.NextOffset != r.Offset+int64(len(r.Data)) {
		x.failRequest("answers", rq, "%s at %d is not what the task wrote", stream, r.Offset)
	}
	if end := x.tasks[p.ID].final; r.EOF && end != nil && end.OutputBytes != nil {
		if r.NextOffset != []int64{end.OutputBytes.Stdout, end.OutputBytes.Stderr, end.OutputBytes.Log}[stream] {
			x.failRequest("answers", rq, "eof at %d, and the task wrote %+v", r.NextOffset, *end.OutputBytes)
		}
	}
}

// walk is a sequence of pages of list.
type walk struct {
	first *request
	seen  map[uuid.UUID]bool
}

// pagesAreWhole: pages show only tasks that were asked for, in order, and together
// show each task once that existed all the time.
func (x *index) pagesAreWhole() {
	walks := map[string]*walk{} // by client and cursor
	key := func(rq *request, cursor string) string { return string(rune(rq.client)) + cursor }
	for _, rq := range x.requests {
		r, ok := answerOf[*schema.ListResult](rq)
		if !ok {
			continue
		}
		p := rq.params.(*schema.ListParams)
		if why := wrongPage(p, r); why != "" {
			x.failRequest("lists", rq, "%s", why)
		}
		for i := range len(r.Tasks) - 1 {
			first, second := x.tasks[r.Tasks[i].ID], x.tasks[r.Tasks[i+1].ID]
			if p.Order != schema.OldestFirst {
				first, second = second, first
			}
			if second.before(first) {
				x.failRequest("lists", rq, "task %s was submitted before task %s", second.id, first.id)
			}
		}
		w := &walk{first: rq, seen: map[uuid.UUID]bool{}}
		if p.Cursor != "" {
			before := walks[key(rq, p.Cursor)]
			if before == nil {
				continue
			}
			w = &walk{first: before.first, seen: maps.Clone(before.seen)} // the client may ask for a page twice
		}
		for i := range r.Tasks {
			if w.seen[r.Tasks[i].ID] {
				x.failRequest("lists", rq, "task %s is on two pages", r.Tasks[i].ID)
			}
			w.seen[r.Tasks[i].ID] = true
		}
		if r.NextCursor != "" {
			walks[key(rq, r.NextCursor)] = w
		} else {
			x.walkIsWhole(w)
		}
	}
}

// walkIsWhole: the pages show every task that was submitted before the first page was
// asked for. Where tasks are selected by state, some may be missing.
func (x *index) walkIsWhole(w *walk) {
	p := w.first.params.(*schema.ListParams)
	if p.States != nil {
		return
	}
	for _, t := range x.order {
		if len(t.submits) == 0 || t.final == nil || t.submits[0].answer.at > w.first.at || w.seen[t.id] {
			continue
		}
		if (p.Types == nil || slices.Contains(p.Types, t.final.Type)) && hasLabels(t.final.Labels, p.Labels) {
			x.failRequest("lists", w.first, "no page has task %s", t.id)
			return
		}
	}
}

// wrongPage says what is wrong with a page, or "".
func wrongPage(p *schema.ListParams, r *schema.ListResult) string {
	if len(r.Tasks) > cmp.Or(p.Limit, 100) {
		return "the page is longer than its limit"
	}
	for i := range r.Tasks {
		t := &r.Tasks[i]
		if p.States != nil && !slices.Contains(p.States, t.State) || p.Types != nil && !slices.Contains(p.Types, t.Type) || !hasLabels(t.Labels, p.Labels) {
			return "task " + t.ID.String() + " is not one that was asked for"
		}
	}
	return ""
}

// before reports whether a task was provably submitted before another.
func (t *task) before(other *task) bool {
	a, b := t.fresh, other.fresh
	switch {
	case a == nil || b == nil:
		return false
	case a.client == b.client:
		return a.position < b.position
	}
	return a.answer.at < b.at
}
