package memory

import (
	"hash/maphash"
	"maps"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// entry is a record with its place in the queue, or among the running tasks. The
// two are one allocation.
type entry = kit.Entry[record]

// record is what the store holds of a task that is not final. A million of them may
// wait, so it is small: what many tasks share is in terms, what comes with the claim is
// in life, and what most tasks never have is in extra. A final task is packed (final.go).
type record struct {
	id       uuid.UUID
	input    text
	created  schema.Time
	terms    *terms
	life     *life // nil while the task waits, unless it has an extra
	attempt  int32
	state    schema.State
	priority int8
}

// terms are what tasks share that a client submits in the same way. They do not change.
type terms struct {
	typ            string
	timeout, grace time.Duration
	owner          executor.WatcherID
	events         executor.EventMask
	rerun          bool
	labels         map[string]string
}

// life is what a record gets when its task is claimed. It is a part of the lease, to save an allocation.
type life struct {
	seq   uint64 // of the event of its start, or 0
	lease *lease // of the running attempt, or nil
	extra *extra
	link  *link // or nil
}

// link connects a task with the planner. A task has one if it has conditions, is tried again, or if other tasks
// come after it.
type link struct {
	task       *plan.Task         // nil if the planner does not have the task
	conditions *schema.Conditions // or nil
	node       plan.Node          // for the tasks that come after it; without an id if there are none
}

// extra is what only few tasks have.
type extra struct {
	cancelled    schema.Time // when a cancel was first asked for
	cancelReason string
	progress     *schema.Progress
	err          *schema.TaskError
	out          *kit.Streams
	history      *executor.History
}

// fill makes an entry, which must be in no queue, the record of a submission.
func (s *Store) fill(e *entry, from *executor.Submission) {
	e.Value = record{
		id: from.ID, input: textOf(from.Input), created: from.CreatedAt, priority: from.Priority, attempt: from.Attempt, state: from.State,
		terms: s.terms.of(&terms{
			typ: from.Type, timeout: from.Timeout, grace: from.Grace, rerun: from.Rerun, owner: from.Owner, events: from.Events,
			labels: from.Labels,
		}),
	}
	if from.Conditions != nil {
		setConditions(e, &from.Record)
	}
}

// setConditions sets the conditions of a task that was not added yet.
func setConditions(e *entry, from *executor.Record) {
	type parts struct { // to allocate once
		life
		link
		task plan.Task
	}
	var all *parts
	var edge *plan.Edge
	if len(from.Conditions.After) == 0 {
		all = new(parts)
	} else {
		more := new(struct {
			parts
			edge plan.Edge
		})
		all, edge = &more.parts, &more.edge
	}
	all.task, all.task.Value = kit.NewTask(from), e
	all.task.Reserve(edge)
	all.link.task, all.link.conditions = &all.task, from.Conditions
	all.life.link, e.Value.life = &all.link, &all.life
}

// node is the task as the dependents of the planner refer to it. It makes the link if there is none.
func (r *record) node() *plan.Node {
	if r.life == nil {
		both := new(struct {
			life
			link
		})
		both.life.link, r.life = &both.link, &both.life
	}
	if r.life.link == nil {
		r.life.link = new(link)
	}
	r.life.link.node.ID = r.id
	return &r.life.link.node
}

// link is the link to the planner, or nil.
func (r *record) link() *link {
	if r.life == nil {
		return nil
	}
	return r.life.link
}

// withExtra is the extra of the task. It makes one if there is none.
func (r *record) withExtra() *extra {
	if r.life == nil {
		r.life = new(life)
	}
	if r.life.extra == nil {
		r.life.extra = new(extra)
	}
	return r.life.extra
}

// extra is the extra of the task, or nil.
func (r *record) extra() *extra {
	if r.life == nil {
		return nil
	}
	return r.life.extra
}

// planned is the task as the planner has it, or nil of a task without conditions.
func (r *record) planned() *plan.Task { return r.link().planned() }

// planned is the task as the planner has it, or nil. The link may be nil.
func (l *link) planned() *plan.Task {
	if l == nil {
		return nil
	}
	return l.task
}

// conditions are those of the task, or nil.
func (r *record) conditions() *schema.Conditions {
	if k := r.link(); k != nil {
		return k.conditions
	}
	return nil
}

// lease is the lease of the running attempt, or nil.
func (r *record) lease() *lease {
	if r.life == nil {
		return nil
	}
	return r.life.lease
}

// task is the task as it is now, with its input.
func (r *record) task() (t schema.Task) {
	r.show(&t)
	return t
}

// show sets the fields of t, which must be zero, from the record.
func (r *record) show(t *schema.Task) {
	t.ID, t.Type, t.State, t.Priority, t.Attempt = r.id, r.terms.typ, r.state, r.priority, r.attempt
	t.Labels, t.CreatedAt, t.Input = r.terms.labels, r.created, r.input.value()
	if r.life == nil { // the usual case
		return
	}
	if l := r.life.lease; l != nil {
		t.StartedAt, t.RunsOn = l.record.StartedAt, l.as
	}
	t.Conditions = r.conditions()
	r.life.extra.show(t)
}

// claimed is the record for the lease of an attempt that begins at a time.
func (r *record) claimed(at schema.Time) *executor.Record {
	made := new(executor.Record) // filled in its place: it is large
	r.show(&made.Task)
	made.Timeout, made.Grace, made.Rerun = r.terms.timeout, r.terms.grace, r.terms.rerun
	made.StartedAt = at
	if x := r.extra(); x != nil {
		made.History = x.history
	}
	return made
}

// end is the final task for the event of its end. It reuses the record of the lease if there is one.
func (r *record) end(f *final, result jsontext.Value) *schema.Task {
	var t *schema.Task
	if l := r.lease(); l != nil {
		t = &l.record.Task
		t.RanOn = l.as
	} else {
		made := r.task()
		t = &made
	}
	t.State, t.FinishedAt, t.Result, t.Input = f.state, f.finished, result, nil
	r.extra().show(t)
	return t
}

// show sets the fields of t that the extra, which may be nil, has.
func (x *extra) show(t *schema.Task) {
	if x == nil {
		return
	}
	t.CancelRequestedAt, t.CancelReason, t.Progress, t.Error = x.cancelled, x.cancelReason, x.progress, x.err
	if x.out != nil {
		t.OutputBytes = x.out.Bytes()
	}
}

// termsTable caches the terms that were used latest, so that tasks that are submitted alike share them. A miss
// costs memory and nothing else. It is safe for concurrent use. The zero value is ready.
type termsTable [termsPlaces]atomic.Pointer[terms]

const termsPlaces = 64

var termsSeed = maphash.MakeSeed()

// of is the cached terms that equal the wanted ones, or a copy of those.
func (t *termsTable) of(wanted *terms) *terms {
	place := &t[wanted.hash()%termsPlaces]
	if known := place.Load(); known != nil && known.equals(wanted) {
		return known
	}
	made := new(*wanted)
	place.Store(made)
	return made
}

func (t *terms) hash() uint64 {
	return maphash.String(termsSeed, t.typ) + uint64(t.timeout) + uint64(t.grace) + uint64(t.owner) + uint64(len(t.labels))
}

func (t *terms) equals(o *terms) bool {
	return t.typ == o.typ && t.timeout == o.timeout && t.grace == o.grace && t.owner == o.owner &&
		t.events == o.events && t.rerun == o.rerun && sameLabels(t.labels, o.labels)
}

// sameLabels reports whether labels are equal. It is fast if both are the same map, as for the tasks of one
// named connection.
func sameLabels(a, b map[string]string) bool {
	return reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer() || maps.Equal(a, b)
}
