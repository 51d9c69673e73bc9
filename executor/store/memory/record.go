package memory

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// entry is a record with its place in the queue, or among the running tasks. The
// two are one allocation.
type entry = kit.Entry[record]

// record is what the store holds of a task. A million of them may wait, so it is
// small: what many tasks share is in terms, what comes with the claim is in life,
// and what most tasks never have is in extra. Once the task is final, nothing in it
// changes but life.ended.
type record struct {
	id       uuid.UUID
	input    text
	created  schema.Time
	terms    *terms
	life     *life // nil while the task waits, unless it has labels
	attempt  int32
	state    schema.State
	priority int8
}

// terms are what the tasks have in common that a client submits in the same way.
// They do not change.
type terms struct {
	typ            string
	timeout, grace time.Duration
	owner          executor.WatcherID
	events         executor.EventMask
	rerun          bool
}

// life is what a record gets when its task is claimed, or cancelled before that.
type life struct {
	seq      uint64 // of its start or, once it is final, of its end; 0 is before both
	started  schema.Time
	finished schema.Time
	ended    schema.Time // by when it had ended, as retention counts
	result   text
	lease    *lease // of the attempt that runs, or nil
	extra    *extra
}

// extra is what few tasks have.
type extra struct {
	labels       map[string]string
	cancelled    schema.Time // when a cancel was first asked for
	cancelReason string
	progress     *schema.Progress
	err          *schema.TaskError
	out          *kit.Streams
}

// newEntry makes a record of a submission, not yet in the queue.
func (s *Store) newEntry(from *executor.Submission) *entry {
	e := &entry{Value: record{
		id: from.ID, input: textOf(from.Input), created: from.CreatedAt, priority: from.Priority, attempt: from.Attempt, state: from.State,
		terms: s.terms.of(terms{
			typ: from.Type, timeout: from.Timeout, grace: from.Grace, rerun: from.Rerun, owner: from.Owner, events: from.Events,
		}),
	}}
	if from.Labels != nil {
		e.Value.withExtra().labels = from.Labels
	}
	return e
}

// withLife is the record's life, which it has from now on.
func (r *record) withLife() *life {
	if r.life == nil {
		r.life = new(life)
	}
	return r.life
}

// withExtra is what few records have, which this one has from now on.
func (r *record) withExtra() *extra {
	l := r.withLife()
	if l.extra == nil {
		l.extra = new(extra)
	}
	return l.extra
}

// extra is what few records have, or nil.
func (r *record) extra() *extra {
	if r.life == nil {
		return nil
	}
	return r.life.extra
}

// out is what the task has written, or nil.
func (r *record) out() *kit.Streams {
	if x := r.extra(); x != nil {
		return x.out
	}
	return nil
}

// task is the task as it is now, with its input.
func (r *record) task() schema.Task {
	t := schema.Task{ID: r.id, Type: r.terms.typ, Priority: r.priority, Attempt: r.attempt, CreatedAt: r.created, Input: r.input.value()}
	if r.life != nil {
		t.StartedAt = r.life.started
	}
	if x := r.extra(); x != nil {
		t.Labels = x.labels
	}
	r.update(&t)
	return t
}

// update sets what may have changed of the task since it was claimed.
func (r *record) update(t *schema.Task) {
	t.State = r.state
	if r.life != nil {
		t.FinishedAt, t.Result = r.life.finished, r.life.result.value()
	}
	if x := r.extra(); x != nil {
		t.CancelRequestedAt, t.CancelReason, t.Progress, t.Error = x.cancelled, x.cancelReason, x.progress, x.err
		if x.out != nil {
			t.OutputBytes = x.out.Bytes()
		}
	}
}

// full is the record as the contract of stores has it.
func (r *record) full() executor.Record {
	return executor.Record{Task: r.task(), Timeout: r.terms.timeout, Grace: r.terms.grace, Rerun: r.terms.rerun}
}

// matches reports whether a filter selects the task. It looks at many records and
// makes no task of each.
func (r *record) matches(filter *executor.Filter) bool {
	t := schema.Task{ID: r.id, Type: r.terms.typ, State: r.state, CreatedAt: r.created}
	if x := r.extra(); x != nil {
		t.Labels = x.labels
	}
	return filter.Match(&t)
}

// endOf is the final task for the event of its end. It is made of the task as it
// was claimed, where that was.
func (r *record) endOf(claimed *lease) *schema.Task {
	if claimed == nil {
		t := r.task()
		return kit.ShownEnd(&t)
	}
	t := &claimed.record.Task
	t.Input = nil
	r.update(t)
	return t
}

// size is what the record of a final task counts towards KeepBytes.
func (r *record) size() int64 {
	var output int64
	if out := r.out(); out != nil {
		output = out.Kept()
	}
	return kit.KeptBytes(r.input.value(), r.life.result.value(), output)
}

// termsTable has the terms that were used latest, so that tasks that are submitted
// alike share them. Terms that are not in it are made again, which costs memory and
// nothing else. It may be used by many goroutines at once. The zero value is ready.
type termsTable [termsPlaces]atomic.Pointer[terms]

const termsPlaces = 64

var termsSeed = maphash.MakeSeed()

// of is terms that equal the wanted ones.
func (t *termsTable) of(wanted terms) *terms {
	hash := maphash.String(termsSeed, wanted.typ) + uint64(wanted.timeout) + uint64(wanted.grace) + uint64(wanted.owner)
	place := &t[hash%termsPlaces]
	if known := place.Load(); known != nil && *known == wanted {
		return known
	}
	made := &wanted
	place.Store(made)
	return made
}
