package memory

import (
	"bytes"
	"slices"
	"sort"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// final is what is kept of a final task, beside its id and its texts. It has no pointers, so that the garbage
// collector skips it.
type final struct {
	seq      uint64 // of the event of its end
	order    uint64 // its place in the timeline
	created  schema.Time
	started  schema.Time
	finished schema.Time
	texts    uint32 // offset of its input in page.texts; its result follows
	input    uint32 // its length
	result   uint32 // its length
	attempt  int32
	terms    uint8 // its index in page.terms
	rest     uint8 // 1 + its index in page.rest, or 0
	state    schema.State
	priority int8
	on       uint8 // 1 + its index in page.on, or 0
}

const (
	// pageTasks is how many tasks a page has; a uint8 can be the index of one.
	pageTasks = 128
	// packedBytes is up to which length the input and the result of a task together are copied into its page.
	// Longer ones stay where they are.
	packedBytes = 1 << 10
	// sparePages is how many pages can be freed in one sweep, and how many are kept for reuse.
	sparePages = sweepSlack/pageTasks + 1
)

// page has tasks that ended one after another. Its memory is reused when all of them are forgotten.
type page struct {
	tasks *[pageTasks]final
	texts []byte // short inputs and results
	terms []*terms
	on    []*schema.RunsOn
	rest  []rest
}

// rest has what only few final tasks have: long texts, an extra, or conditions.
type rest struct {
	input, result text
	extra         *extra
	conditions    *schema.Conditions
}

// finals are the final tasks that are kept, in the order in which they ended. Each has a number, which rises by
// one from task to task. The zero value is ready.
type finals struct {
	pages []*page // the oldest first
	first uint64  // the number of the oldest task
	next  uint64  // the number of the task that ends next
	steps []step
	spare []*page // to be reused; at most sparePages
}

// step is the end of a task that is earlier than the end before it, because the clock was set back. A step is
// dropped when a later step has an earlier time.
type step struct {
	number uint64
	time   schema.Time
}

// begin sets the number of the first task. It must be called before the first push.
func (f *finals) begin(number uint64) {
	f.first, f.next = number, number
	if number%pageTasks != 0 {
		f.pages = append(f.pages, f.newPage())
	}
}

func (f *finals) len() int { return int(f.next - f.first) }

// at is the task with the number, and its page.
func (f *finals) at(number uint64) (*page, *final) {
	p := f.pages[number/pageTasks-f.first/pageTasks]
	return p, &p.tasks[number%pageTasks]
}

// push adds the task that ended last, and answers its number. It sets the fields of the final that refer to its
// page. on is the executor that ran the task, or nil.
func (f *finals) push(t final, terms *terms, on *schema.RunsOn, r rest) (number uint64) {
	number = f.next
	if f.len() > 0 {
		if _, before := f.at(number - 1); t.finished < before.finished {
			f.stepBack(step{number, t.finished})
		}
	}
	if number%pageTasks == 0 {
		f.pages = append(f.pages, f.newPage())
	}
	f.next++
	p, place := f.at(number)
	t.terms, t.on = indexOf(&p.terms, terms), 0
	if on != nil {
		t.on = indexOf(&p.on, on) + 1
	}
	t.input, t.result = uint32(r.input.size), uint32(r.result.size)
	if t.input+t.result <= packedBytes {
		t.texts = uint32(len(p.texts))
		p.texts = append(append(p.texts, r.input.value()...), r.result.value()...)
		r.input, r.result = text{}, text{}
	}
	if r != (rest{}) {
		p.rest = append(p.rest, r)
		t.rest = uint8(len(p.rest))
	}
	*place = t
	return number
}

func (f *finals) stepBack(s step) {
	for n := len(f.steps); n > 0 && f.steps[n-1].time >= s.time; n-- {
		f.steps = f.steps[:n-1]
	}
	f.steps = append(f.steps, s)
}

// newPage is an empty page. It has room for as many bytes of texts as the page before it has.
func (f *finals) newPage() *page {
	texts := 0
	if n := len(f.pages); n > 0 {
		texts = len(f.pages[n-1].texts)
	}
	var p *page
	if n := len(f.spare); n > 0 {
		p, f.spare[n-1] = f.spare[n-1], nil
		f.spare = f.spare[:n-1]
	} else {
		p = &page{tasks: new([pageTasks]final)}
	}
	if cap(p.texts) < texts || cap(p.texts) > 2*texts {
		p.texts = make([]byte, 0, texts)
	}
	return p
}

// indexOf is the index of one in a list of a page. It adds it if it is not there.
func indexOf[T any](all *[]*T, one *T) uint8 {
	if n := len(*all); n > 0 && (*all)[n-1] == one { // the usual case
		return uint8(n - 1)
	}
	i := slices.Index(*all, one)
	if i < 0 {
		i = len(*all)
		*all = append(*all, one)
	}
	return uint8(i)
}

// pop forgets the oldest task.
func (f *finals) pop() {
	p, t := f.at(f.first)
	if t.rest > 0 {
		p.rest[t.rest-1] = rest{}
	}
	if f.first++; f.first%pageTasks == 0 {
		f.pages[0] = nil
		f.pages = f.pages[1:]
		if len(f.spare) < sparePages {
			clear(p.terms)
			clear(p.on)
			p.texts, p.terms, p.on, p.rest = p.texts[:0], p.terms[:0], p.on[:0], p.rest[:0]
			f.spare = append(f.spare, p)
		}
	}
	if len(f.steps) > 0 && f.steps[0].number <= f.first {
		f.steps = f.steps[1:]
	}
}

// oldestEnd is when the oldest task ended, for retention. If the clock was set back since, it is the time of
// the earliest later end.
func (f *finals) oldestEnd() schema.Time {
	_, oldest := f.at(f.first)
	if len(f.steps) > 0 {
		return min(oldest.finished, f.steps[0].time)
	}
	return oldest.finished
}

// after is the number of the first task whose end has a seq greater than this.
func (f *finals) after(seq uint64) uint64 {
	return f.first + uint64(sort.Search(f.len(), func(i int) bool {
		_, t := f.at(f.first + uint64(i))
		return t.seq > seq
	}))
}

// restOf is the rest of a task, which may be zero.
func (f *finals) restOf(number uint64) rest {
	p, t := f.at(number)
	if t.rest == 0 {
		return rest{}
	}
	return p.rest[t.rest-1]
}

// ranOn is the executor that had a task, or nil.
func (f *finals) ranOn(number uint64) *schema.RunsOn {
	p, t := f.at(number)
	if t.on == 0 {
		return nil
	}
	return p.on[t.on-1]
}

// terms are the terms of a task.
func (f *finals) terms(number uint64) *terms {
	p, t := f.at(number)
	return p.terms[t.terms]
}

// size is what a task counts towards KeepBytes, in bytes.
func (f *finals) size(number uint64) int64 {
	_, t := f.at(number)
	size := int64(t.input) + int64(t.result)
	if x := f.restOf(number).extra; x != nil && x.out != nil {
		size += x.out.Kept()
	}
	return size
}

// task is a task as it is shown, with its input and without its id.
func (f *finals) task(number uint64) schema.Task {
	p, t := f.at(number)
	shown := schema.Task{
		Type: p.terms[t.terms].typ, Labels: p.terms[t.terms].labels, State: t.state, Priority: t.priority, Attempt: t.attempt,
		CreatedAt: t.created, StartedAt: t.started, FinishedAt: t.finished,
	}
	rest := f.restOf(number)
	shown.Input, shown.Result = p.values(t, &rest)
	shown.Conditions, shown.RanOn = rest.conditions, f.ranOn(number)
	rest.extra.show(&shown)
	return shown
}

// values are the input and the result of a task. They are copies: a slice of the page's texts would keep all of
// them in memory.
func (p *page) values(t *final, r *rest) (input, result jsontext.Value) {
	if t.input+t.result > packedBytes {
		return r.input.value(), r.result.value()
	}
	both := bytes.Clone(p.texts[t.texts:][:t.input+t.result])
	if t.input > 0 {
		input = both[:t.input:t.input]
	}
	if t.result > 0 {
		result = both[t.input:]
	}
	return input, result
}
