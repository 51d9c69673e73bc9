package memory

import (
	"bytes"
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// RestoreReplica makes a replica from what Snapshot has written. It also answers the claimers and leases that
// were given to Snapshot, in the same order. A snapshot that is damaged, or of another version, is an error.
func RestoreReplica(from io.Reader, due func()) (*Replica, Held, error) {
	blocks, err := newBlockReader(from)
	if err != nil {
		return nil, Held{}, err
	}
	made := NewReplica(due)
	made.mu.Lock()
	r := snapshotReader{blockReader: blocks, to: made}
	r.read()
	made.mu.Unlock()
	if r.err != nil {
		_ = made.Close() // its timers
		return nil, Held{}, fmt.Errorf("the snapshot cannot be read: %w", r.err)
	}
	return made, r.heldByOthers, nil
}

// snapshotReader reads the parts of a snapshot. It holds mu of the replica.
type snapshotReader struct {
	*blockReader
	to            *Replica
	haveBlock     bool // the reader has a block that no part has read yet
	about         snapshotHead
	readTerms     ring[terms]
	readExecutors ring[schema.RunsOn]
	final         uint64 // the number of the next final task
	timeline      timelineMaker
	waiting       []waiting
	taken         []*plan.Task
	heldByOthers  Held
}

// waiting is a task for the planner, with the indexes in its Conditions.After of the tasks that are not final.
type waiting struct {
	entry *entry
	open  []int
}

func (r *snapshotReader) read() {
	if r.haveBlock = r.next(); !r.haveBlock || r.kind != blockHead {
		r.fail("it does not begin with its head")
		return
	}
	r.head()
	r.haveBlock = r.next()
	s := r.to.Store
	r.each(blockSchedules, func() {
		s.schedules.Set([]executor.ScheduleText{{Name: r.text(), Text: append([]byte{}, r.bytes()...)}})
	})
	r.ids()
	r.each(blockFinals, r.readFinal)
	if r.final != r.about.NextFinal {
		r.fail("it has final tasks up to the number %d, and should have up to %d", r.final, r.about.NextFinal)
	}
	r.each(blockOpen, r.readEntry)
	r.held()
	s.timeline = r.timeline.made()
	s.claims.SetLast(r.about.Last)
	r.plan()
	r.each(blockTrees, r.node)
	r.each(blockUntold, func() {
		if id := r.id(); r.err == nil {
			r.check(s.trees.RestoreUntold(id))
		}
	})
	if r.haveBlock {
		r.fail("a block is of kind %d, which is not known, or in a wrong place", r.kind)
	}
}

// check fails where there is an error.
func (r *snapshotReader) check(err error) {
	if err != nil {
		r.fail("%w", err)
	}
}

// each reads the consecutive blocks of a kind. one reads one item.
func (r *snapshotReader) each(kind blockKind, one func()) {
	for r.haveBlock && r.kind == kind {
		r.readTerms, r.readExecutors = ring[terms]{}, ring[schema.RunsOn]{}
		for r.more() {
			one()
		}
		r.haveBlock = r.next()
	}
}

func (r *snapshotReader) head() {
	h := &r.about
	r.json(h)
	s := r.to.Store
	s.options = h.Options.options()
	if o := &s.options; r.err == nil && (o.MaxOutput <= 0 || o.MaxQueued <= 0 || h.FirstFinal > h.NextFinal || h.NextFinal > 1<<62 || h.OldIDs > h.YoungIDs || h.YoungIDs > h.NextFinal) {
		r.fail("its head has numbers that do not fit together")
	}
	r.final = h.FirstFinal
	s.replica.at, s.replica.lastTell = schema.Time(h.At), schema.Time(h.Told)
	s.feed.SetSeq(h.Seq)
	s.lastForgotten, s.latest = h.Gone, h.LatestID
	s.finals.begin(h.FirstFinal)
	s.known.limit = uint64(max(s.options.KeepIDs, 0))
	s.known.old.base, s.known.young.base = h.OldIDs, h.YoungIDs
}

// ids reads the ids of final tasks.
func (r *snapshotReader) ids() {
	k, h := &r.to.known, &r.about
	for r.haveBlock && r.kind == blockIDs {
		set := &k.old
		if r.flag() {
			set = &k.young
		}
		for r.more() {
			if id := r.id(); r.err == nil {
				set.add(id)
			}
		}
		r.haveBlock = r.next()
	}
	oldest := k.young.base
	if k.old.count > 0 {
		oldest = k.old.base
	}
	joined := k.old.count == 0 || k.old.base+uint64(k.old.count) == k.young.base
	if r.err == nil && (!joined || k.young.base+uint64(k.young.count) != h.NextFinal || h.FirstFinal < oldest) {
		r.fail("its ids are not those of the final tasks from %d to %d", h.FirstFinal, h.NextFinal)
	}
}

func (r *snapshotReader) readFinal() {
	s := r.to.Store
	f := final{seq: r.uint(), order: r.uint()}
	f.created = r.time(s.replica.at)
	f.started, f.finished = r.time(f.created), r.time(f.created)
	f.attempt, f.state, f.priority = int32(r.int()), r.state(), int8(r.byte())
	terms := r.terms()
	input, result := r.bytes(), r.bytes()
	if len(input)+len(result) > packedBytes { // shorter texts are copied into the page
		input, result = bytes.Clone(input), bytes.Clone(result)
	}
	x, c, on := r.readRare()
	switch {
	case r.err != nil:
	case !f.state.Final() || r.final >= r.about.NextFinal:
		r.fail("the final task with the number %d is not one of those", r.final)
	case !r.timeline.add(f.order, place{number: r.final}):
		r.fail("two tasks have the order number %d", f.order)
	}
	if r.err != nil {
		return
	}
	r.final++
	s.putFinal(f, terms, on, rest{input: textOf(input), result: textOf(result), extra: x, conditions: c})
}

// putFinal adds a task that ended last. Its id must be in known already. The caller holds mu.
func (s *Store) putFinal(f final, terms *terms, on *schema.RunsOn, r rest) {
	number := s.finals.push(f, terms, on, r)
	s.keptBytes += s.finals.size(number)
	*s.counts.Of(f.state)++
	s.dedupes.End(r.conditions, s.known.idOf(number), f.state, f.finished)
}

func (r *snapshotReader) terms() *terms {
	if place := r.byte(); place != newInRing {
		if int(place) < len(r.readTerms.all) && r.readTerms.all[place] != nil {
			return r.readTerms.all[place]
		}
		r.fail("a task refers to terms that the block does not have")
		return nil
	}
	t := terms{typ: r.text(), timeout: duration(r.int()), grace: duration(r.int()), rerun: r.flag()}
	for n := r.uint(); n > 0 && r.err == nil; n-- {
		if t.labels == nil {
			t.labels = map[string]string{}
		}
		name := r.text()
		t.labels[name] = r.text()
	}
	made := r.to.terms.of(&t)
	r.readTerms.add(made)
	return made
}

// readRare reads what few tasks have. Each answer is nil if the task has none.
func (r *snapshotReader) readRare() (x *extra, c *schema.Conditions, on *schema.RunsOn) {
	has := r.byte()
	if has&hasConditions != 0 {
		c = new(schema.Conditions)
		r.json(c)
	}
	if has&hasRanOn != 0 {
		on = r.ranOn()
	}
	if has&^(hasConditions|hasRanOn) == 0 {
		return nil, c, on
	}
	x = new(extra)
	if has&hasCancel != 0 {
		x.cancelled, x.cancelReason = r.time(r.to.replica.at), r.text()
	}
	if has&hasProgress != 0 {
		x.progress = new(schema.Progress)
		r.json(x.progress)
	}
	if has&hasError != 0 {
		x.err = new(schema.TaskError)
		r.json(x.err)
	}
	if has&hasOutput != 0 {
		x.out = r.output()
	}
	if has&hasHistory != 0 {
		x.history = new(executor.History)
		r.json(x.history)
	}
	return x, c, on
}

// ranOn reads the executor that ran a task.
func (r *snapshotReader) ranOn() *schema.RunsOn {
	place := r.byte()
	if place == newInRing {
		on := &schema.RunsOn{Executor: r.text(), Host: r.text()}
		r.readExecutors.add(on)
		return on
	}
	if int(place) < len(r.readExecutors.all) && r.readExecutors.all[place] != nil {
		return r.readExecutors.all[place]
	}
	r.fail("a task refers to an executor that the block does not have")
	return nil
}

func (r *snapshotReader) output() *kit.Streams {
	out := new(kit.Streams)
	for i := range out {
		total, kept := r.uint(), r.bytes()
		if total > 1<<62 || uint64(len(kept)) > total || len(kept) > r.to.options.MaxOutput {
			r.fail("a task has written %d bytes, of which %d are kept", total, len(kept))
			return nil
		}
		out[i].Restart(int64(total) - int64(len(kept)))
		out[i].Write(kept, r.to.options.MaxOutput)
	}
	return out
}

func (r *snapshotReader) node() {
	is := r.byte()
	n := kit.TreeNode{ID: r.id(), State: r.state(), Fraction: r.int(), Kept: is&nodeIsKept != 0, Own: is&nodeIsOwn != 0}
	if is&nodeIsChild != 0 {
		n.Parent, n.Order = r.id(), r.uint()
	}
	if is&nodeIsParent != 0 {
		n.Counts = &schema.TaskCounts{Queued: r.int(), Running: r.int(), Completed: r.int(), Failed: r.int(), Cancelled: r.int()}
		n.Done = r.int()
	}
	if r.err == nil {
		r.check(r.to.Store.trees.Restore(n))
	}
}

// find finds a task that is not final. It answers nil after an error.
func (r *snapshotReader) find(id uuid.UUID) *entry {
	e := r.to.records.get(id)
	if e == nil {
		r.fail("there is no task %v that is not final", id)
	}
	return e
}
