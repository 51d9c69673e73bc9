package memory

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Held is what the processes hold of a Replica: the claimers that have joined, and the leases that were taken
// and neither released nor returned, in the order in which they were taken.
type Held struct {
	Claimers []executor.Claimer
	Leases   []executor.Lease
}

// snapshotHead is the content of the first block.
type snapshotHead struct {
	Options    optionsState `json:"options"`
	At         int64        `json:"at"`
	Told       int64        `json:"told"`
	Seq        uint64       `json:"seq"`
	Gone       uint64       `json:"gone"`
	Last       uint64       `json:"last"` // the latest order number
	LatestID   uuid.UUID    `json:"latestId"`
	FirstFinal uint64       `json:"firstFinal"`
	NextFinal  uint64       `json:"nextFinal"`
	OldIDs     uint64       `json:"oldIds"` // the base of the old generation of ids
	YoungIDs   uint64       `json:"youngIds"`
}

// optionsState is Options in a snapshot.
type optionsState struct {
	Keep      int              `json:"keep"`
	KeepFor   int64            `json:"keepFor"` // nanoseconds
	KeepBytes int64            `json:"keepBytes"`
	KeepIDs   int              `json:"keepIds"`
	MaxQueued int              `json:"maxQueued"`
	MaxOutput int              `json:"maxOutput"`
	Resources map[string]int64 `json:"resources"`
}

func stateOf(o *Options) optionsState {
	return optionsState{o.Keep, int64(o.KeepFor), o.KeepBytes, o.KeepIDs, o.MaxQueued, o.MaxOutput, o.Resources}
}

func (o *optionsState) options() Options {
	return Options{o.Keep, time.Duration(o.KeepFor), o.KeepBytes, o.KeepIDs, o.MaxQueued, o.MaxOutput, o.Resources}
}

// errUnsettled says that the planner has not finished a change.
var errUnsettled = errors.New("a snapshot cannot be made within a change: call Advance first")

// Snapshot writes everything that replicas share. RestoreReplica makes an equal replica from it: after the same
// changes it has the same answers, event numbers and digests. Watchers, and which of them owns a task, are of
// one process and not part of it. Equal replicas write the same bytes.
//
// Call it between two changes, after Advance. No change may be made meanwhile. Reads are possible: a read waits
// for the writing of one block of 64 KB, or of the largest task, into memory.
func (r *Replica) Snapshot(to io.Writer, held Held) error {
	blocks, err := newBlockWriter(to)
	if err != nil {
		return err
	}
	w := snapshotWriter{blockWriter: blocks, replica: r}
	for _, part := range []func() error{
		w.head, w.schedules, w.ids, w.finals, w.open, func() error { return w.held(held) }, w.plan, w.trees, blocks.finish,
	} {
		if err := part(); err != nil {
			return err
		}
		if w.err != nil {
			return w.err
		}
	}
	return nil
}

// snapshotWriter writes the parts of a snapshot.
type snapshotWriter struct {
	*blockWriter
	replica          *Replica
	writtenTerms     ring[terms]
	writtenExecutors ring[schema.RunsOn]
}

// writeBlock writes one block, which fill fills with mu held.
func (w *snapshotWriter) writeBlock(kind blockKind, fill func()) error {
	w.begin(kind)
	w.replica.mu.Lock()
	fill()
	w.replica.mu.Unlock()
	return w.end()
}

// writeBlocks writes blocks of items. fill writes one item with mu held, and answers false if there is none
// left.
func (w *snapshotWriter) writeBlocks(kind blockKind, fill func() bool) error {
	for more := true; more; {
		w.begin(kind)
		w.writtenTerms, w.writtenExecutors = ring[terms]{}, ring[schema.RunsOn]{}
		w.replica.mu.Lock()
		for more = true; more && !w.full(); {
			more = fill()
		}
		w.replica.mu.Unlock()
		if w.empty() {
			break
		}
		if err := w.end(); err != nil {
			return err
		}
	}
	return nil
}

func (w *snapshotWriter) head() error {
	settled := true
	err := w.writeBlock(blockHead, func() {
		r := w.replica
		settled = r.planned.Settled()
		w.json(&snapshotHead{
			Options: stateOf(&r.options), At: int64(r.replica.at), Told: int64(r.replica.lastTell), Seq: r.feed.Seq(), Gone: r.lastForgotten, Last: r.claims.Last(), LatestID: r.latest,
			FirstFinal: r.finals.first, NextFinal: r.finals.next, OldIDs: r.known.old.base, YoungIDs: r.known.young.base,
		})
	})
	if !settled {
		return errUnsettled
	}
	return err
}

func (w *snapshotWriter) schedules() error {
	all := w.replica.Store.schedules.All()
	n := 0
	return w.writeBlocks(blockSchedules, func() bool {
		if n == len(all) {
			return false
		}
		w.text(all[n].Name)
		w.bytes(all[n].Text)
		n++
		return true
	})
}

// ids writes the ids of final tasks: those of the older generation first.
func (w *snapshotWriter) ids() error {
	for _, set := range []*idSet{&w.replica.known.old, &w.replica.known.young} {
		n := uint32(0)
		err := w.writeBlocks(blockIDs, func() bool {
			if n == set.count {
				return false
			}
			if w.empty() {
				w.flag(set == &w.replica.known.young)
			}
			w.id(*set.at(uint64(n)))
			n++
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *snapshotWriter) finals() error {
	f := &w.replica.Store.finals
	n := f.first
	return w.writeBlocks(blockFinals, func() bool {
		if n == f.next {
			return false
		}
		w.final(n)
		n++
		return true
	})
}

func (w *snapshotWriter) final(number uint64) {
	p, t := w.replica.Store.finals.at(number)
	r := w.replica.Store.finals.restOf(number)
	w.uint(t.seq)
	w.uint(t.order)
	w.time(t.created, w.replica.replica.at)
	w.time(t.started, t.created)
	w.time(t.finished, t.created)
	w.int(int64(t.attempt))
	w.byte(byte(t.state))
	w.byte(byte(t.priority))
	w.terms(p.terms[t.terms])
	if t.input+t.result > packedBytes {
		w.bytes(r.input.value())
		w.bytes(r.result.value())
	} else {
		texts := p.texts[t.texts:]
		w.bytes(texts[:t.input])
		w.bytes(texts[t.input:][:t.result])
	}
	w.writeRare(r.extra, r.conditions, w.replica.Store.finals.ranOn(number))
}

// Which of the rare parts a task has.
const (
	hasConditions = 1 << iota
	hasCancel
	hasProgress
	hasError
	hasOutput
	hasHistory
	hasRanOn
)

// bitsOf sets a bit for each value that is true, the lowest bit for the first.
func bitsOf(all ...bool) (bits byte) {
	for i, is := range all {
		if is {
			bits |= 1 << i
		}
	}
	return bits
}

// writeRare writes what few tasks have, and the executor that ran the task. Each may be nil.
func (w *snapshotWriter) writeRare(x *extra, c *schema.Conditions, on *schema.RunsOn) {
	if x == nil {
		x = new(extra)
	}
	has := bitsOf(c != nil, !x.cancelled.IsZero(), x.progress != nil, x.err != nil, x.out != nil, x.history != nil, on != nil)
	w.byte(has)
	if c != nil {
		w.json(c)
	}
	if on != nil {
		w.ranOn(on)
	}
	if has&hasCancel != 0 {
		w.time(x.cancelled, w.replica.replica.at)
		w.text(x.cancelReason)
	}
	if has&hasProgress != 0 {
		w.json(x.progress)
	}
	if has&hasError != 0 {
		w.json(x.err)
	}
	if has&hasOutput != 0 {
		for i := range x.out {
			ring := &x.out[i]
			w.uint(uint64(ring.Total()))
			w.bytes(ring.Read(ring.First(), ring.Total(), w.replica.options.MaxOutput))
		}
	}
	if has&hasHistory != 0 {
		w.json(x.history)
	}
}

func (w *snapshotWriter) open() error {
	after := uint64(0)
	return w.writeBlocks(blockOpen, func() bool {
		found := false
		w.replica.timeline.upward(after, func(order uint64, p place) bool {
			after = order
			if p.entry == nil {
				return true
			}
			found = true
			w.entry(p.entry)
			return !w.full()
		})
		return found
	})
}

// entry writes a task that is not final.
func (w *snapshotWriter) entry(e *entry) {
	r := &e.Value
	w.id(r.id)
	w.uint(e.Order())
	w.time(r.created, w.replica.replica.at)
	w.int(int64(r.attempt))
	w.byte(byte(r.state))
	w.byte(byte(r.priority))
	w.terms(r.terms)
	w.bytes(r.input.value())
	w.writeRare(r.extra(), r.conditions(), nil)
	t := r.planned()
	if t == nil {
		w.byte(0)
		return
	}
	open := t.OpenPlaces()
	w.uint(uint64(len(open)) + 1)
	for _, place := range open {
		w.uint(uint64(place))
	}
}

// held writes the claimers and the leases. The lease of a claimer that has left refers to none.
func (w *snapshotWriter) held(h Held) error {
	places, claimers, running := map[*claimer]uint64{}, 0, 0
	err := w.writeBlocks(blockHeld, func() bool {
		if claimers == len(h.Claimers) {
			return false
		}
		if w.empty() {
			w.byte(heldClaimers)
		}
		c := h.Claimers[claimers].(*claimer)
		claimers++
		places[c] = uint64(claimers)
		o := c.member.Offer()
		w.flag(o.Types == nil)
		w.json(o.Types)
		w.json(o.Labels)
		w.json(o.Limits)
		return true
	})
	if err != nil {
		return err
	}
	leases := 0
	err = w.writeBlocks(blockHeld, func() bool {
		if leases == len(h.Leases) {
			return false
		}
		if w.empty() {
			w.byte(heldLeases)
		}
		l := h.Leases[leases].(*lease)
		leases++
		if l.entry != nil {
			running++
		}
		w.lease(l, places[l.claimer])
		return true
	})
	if err == nil && running != w.replica.running.Len() {
		err = fmt.Errorf("%d tasks are running, and %d leases of them are known", w.replica.running.Len(), running)
	}
	return err
}

// The first byte of a blockHeld: which items follow.
const (
	heldClaimers = iota
	heldLeases
)

// lease writes a lease. claimer is the number of its claimer from 1, or 0 if that has left.
func (w *snapshotWriter) lease(l *lease, claimer uint64) {
	w.uint(claimer)
	w.id(l.record.ID)
	w.flag(l.entry != nil)
	if l.entry != nil {
		w.uint(l.seq)
		w.time(l.record.StartedAt, w.replica.replica.at)
		return
	}
	w.int(int64(l.record.Attempt))
	w.text(l.record.Type)
	t := l.link.planned()
	if w.flag(t != nil); t != nil { // the ended task counts in its group until the lease is released
		w.byte(byte(t.Priority))
		w.uint(t.Order)
		w.json(t.Conditions)
	}
}
