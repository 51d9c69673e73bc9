package rpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// gatherMost is how many consecutive submits, or cancels, are recorded together. With a durable store
// it is gatherDurable, because all of them share the sync of a disk.
const (
	gatherMost    = 256
	gatherDurable = 1024
	// gatherCrowded replaces gatherMost if there are many connections.
	gatherCrowded = 64
)

// answering is a gathered submit: the responder of its request, and what it asks of this connection.
type answering struct {
	to           responder
	lossless     *losslessOutput // nil where it did not ask for lossless output
	onDisconnect schema.OnDisconnect
}

// submit gathers a submit; flushSubmits records it with its neighbours.
func (s *session) submit(ctx context.Context, p *wire.Params, to responder) {
	if s.leaving {
		to.fail(errLeaving)
		return
	}
	params, err := s.submitting.decode(p)
	if err != nil {
		to.fail(err)
		return
	}
	if len(s.gathered) == 0 {
		s.now = schema.Now()
	}
	record, err := s.executor.PrepareAt(params, s.now)
	if err != nil {
		to.fail(err)
		return
	}
	if params.Output == schema.OutputLossless && to.batch != nil && to.batch.hold.hasLateReply {
		to.fail(wire.NewError(schema.CodeInvalidRequest,
			"a batch with a lossless submit has no wait, shutdown or exit: the task would have to wait for their replies; send it alone"))
		return
	}
	if params.DryRun {
		s.addDryRun(ctx, &record, params.ID, to)
		return
	}
	record.Owner, record.Labels = s.watcher.ID(), s.labelled(record.Labels)
	if s.tracks(params.OnDisconnect) {
		record.Events = record.Events.TellingEnd()
	}
	s.gathered = append(s.gathered, record)
	s.answering = append(s.answering, answering{to, s.beginLossless(&record, params.Output), params.OnDisconnect})
	switch n := len(s.gathered); {
	case n == s.gatherMost:
		s.flushSubmits(ctx)
	case n == gatherCrowded && s.gatherMost == gatherMost && s.executor.Crowded():
		s.flushSubmits(ctx)
		s.executor.Yield()
	}
}

// flushSubmits records the gathered submits and answers them. No event of theirs is
// sent before the answer.
func (s *session) flushSubmits(ctx context.Context) {
	if len(s.gathered) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clientGone {
		for i := range s.answering {
			s.answering[i].lossless.leave()
		}
	}
	answers, err := s.executor.Submit(ctx, s.gathered)
	for i := range s.gathered {
		var answer executor.Submitted
		if answer.Err = err; err == nil {
			answer = answers[i]
		}
		s.answerSubmit(ctx, i, answer)
	}
	s.tellNew()
	clear(s.gathered)
	clear(s.answering)
	s.gathered, s.answering = s.gathered[:0], s.answering[:0]
}

// answerSubmit answers the gathered submit with the index. Where it has made a new
// task, tellNew answers it later. The caller holds mu.
func (s *session) answerSubmit(ctx context.Context, i int, answer executor.Submitted) {
	to, all, record := &s.answering[i].to, s.answering[i].lossless, &s.gathered[i]
	switch {
	case answer.Err != nil:
		all.leave()
		s.tellNew()
		to.fail(s.refusal(answer.Err, record))
	case answer.Existing:
		s.tellNew()
		record.Events = record.Events.Asked()
		if record.ID != answer.Task.ID { // it was found by its dedupe key
			record.Task = *answer.Task
		}
		task, err := s.submitExisting(ctx, record, answer.Task, all)
		if err != nil {
			to.fail(err)
			return
		}
		to.result(func(b []byte) []byte { return appendSubmitted(b, task, true) })
	default:
		s.track(record.ID, s.answering[i].onDisconnect)
		record.WaitingFor = answer.WaitingFor
		if answer.Conditions != nil {
			record.Conditions = answer.Conditions
		}
		if record.Events.Has(executor.EventOutput) {
			s.cursors[record.ID] = all.cursors(record)
		}
		switch {
		case to.batch != nil: // the events of a new task wait for the reply of its batch
			s.held[record.ID] = to.batch.hold
			to.batch.hold.ids = append(to.batch.hold.ids, record.ID)
			to.result(func(b []byte) []byte { return appendSubmitted(b, &record.Task, false) })
		case to.id != nil:
			s.created = append(s.created, newTask{to.id, &record.Task})
		}
	}
}

// tellNew answers the submits that have made new tasks. The caller holds mu.
func (s *session) tellNew() {
	if len(s.created) > 0 {
		s.out.submitted(s.created)
		clear(s.created)
		s.created = s.created[:0]
	}
}

// refusal adds the id or the limit of the queue to the error of a submit.
func (s *session) refusal(err error, r *executor.Submission) error {
	switch {
	case errors.Is(err, executor.ErrIDConflict), errors.Is(err, executor.ErrTaskGone):
		return fmt.Errorf("%w: %s", err, r.ID)
	case errors.Is(err, executor.ErrQueueFull):
		e := wireError(err)
		if e.Data.Limit == 0 {
			e.Data.Limit = int64(s.executor.MaxQueued())
		}
		return e
	}
	return err
}
