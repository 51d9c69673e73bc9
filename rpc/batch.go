package rpc

import (
	"context"
	"slices"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// batch gathers the replies of a batch and sends them as one message. The message
// is sent with the session's mu held: by the reader at the end of the batch, or by
// the pump, with the last late reply.
type batch struct {
	session  *session
	ctx      context.Context
	hold     *hold
	replies  [][]byte
	size     int   // of the replies, in bytes
	least    int64 // bytes of the budget that the requests take, at least, until the batch is answered
	more     int64 // bytes of replies beyond what least counts
	reserved bool  // least and more are reserved in the budget
	missing  int   // replies
	open     bool  // the reader has not handled all elements
	ordered  bool  // a submit names other tasks, so the order of the elements matters
}

// handleBatch handles the requests of an array. If the array as a whole is not valid JSON, check says which
// elements are bad; otherwise check is nil.
func (s *session) handleBatch(ctx context.Context, array []byte, check func([]byte) *wire.BadMessage) {
	var requests [][]byte
	each := wire.Elements
	if check != nil {
		each = wire.LenientElements
	}
	each(array, func(value []byte) bool { // an array can have millions
		requests = append(requests, value)
		return len(requests) <= s.options.MaxBatch
	})
	if n := len(requests); n == 0 || n > s.options.MaxBatch {
		s.out.fail(nil, s.batchError(n))
		return
	}
	b := &batch{session: s, ctx: ctx, hold: &hold{}, open: true}
	bad := b.look(requests, check)
	if b.hold.hasLateReply { // the pump answers those requests, but only after the batch is read
		s.mu.Lock()
		s.deliveryPaused = true
		s.mu.Unlock()
	}
	b.handle(ctx, requests, bad)
	s.flush(ctx)
	s.flushDryRuns(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.open = false
	b.check()
	s.deliveryPaused = false
	s.deliveryResumed.Signal()
}

// handle handles the elements in an order in which each submit comes after those that it names.
func (b *batch) handle(ctx context.Context, elements [][]byte, bad []*wire.BadMessage) {
	if !b.ordered { // the usual case
		for i, value := range elements {
			b.handleElement(ctx, value, bad[i])
		}
		return
	}
	valid := slices.Clone(elements)
	for i := range bad {
		if bad[i] != nil {
			valid[i] = nil
		}
	}
	order := b.order(valid)
	for _, i := range order.sorted {
		if err := order.cycles[i]; err != nil {
			b.refuse(elements[i], err)
			continue
		}
		b.handleElement(ctx, elements[i], bad[i])
	}
}

func (b *batch) handleElement(ctx context.Context, value []byte, bad *wire.BadMessage) {
	if bad == nil {
		b.session.handleRequest(ctx, b.session.element(value), b)
		return
	}
	b.missing++
	b.session.responderOf(bad, b).fail(bad)
}

// refuse answers a valid request with an error.
func (b *batch) refuse(value []byte, err error) {
	s := b.session
	to := responder{id: s.element(value).ID, out: s.out, batch: b, log: s.logError}
	if to.id != nil {
		b.missing++
	}
	to.fail(err)
}

// look answers which elements of a batch are bad. It notes how many bytes the others
// cost at least while they are not answered, and whether one may be answered late.
func (b *batch) look(elements [][]byte, check func([]byte) *wire.BadMessage) []*wire.BadMessage {
	bad := make([]*wire.BadMessage, len(elements))
	for i, value := range elements {
		if check != nil {
			bad[i] = check(value)
		}
		if bad[i] == nil {
			m := b.session.element(value)
			b.least += int64(len(m.ID)) + memberBytes
			if m.Check() == nil {
				name := m.MethodName()
				b.hold.hasLateReply = b.hold.hasLateReply || slices.Contains(lateMethods, name)
				b.ordered = b.ordered || name == schema.MethodSubmit && (m.Params.Get("after") != nil || m.Params.Get("parent") != nil)
			}
		}
	}
	return bad
}

// element reads a valid element of a batch. The result is valid until the next call.
func (s *session) element(value []byte) *wire.Message {
	s.scanner.Reset(value, wire.MaxNesting)
	s.member.Read(&s.scanner)
	return &s.member
}

func (s *session) batchError(n int) *wire.Error {
	if n == 0 {
		return wire.NewError(schema.CodeInvalidRequest, "a batch has at least one request")
	}
	e := wire.NewError(schema.CodeTooLarge, "the batch has more than %d requests, the limit; send several, or raise --max-batch", s.options.MaxBatch)
	e.Data.Limit = int64(s.options.MaxBatch)
	return e
}

// reserveBudget reserves the bytes that the batch takes until it is answered. If the budget has too few, it
// answers how many are needed.
func (b *batch) reserveBudget() (need int64) {
	if b.reserved {
		return 0
	}
	if need = b.least + b.more; !b.session.budget.reserve(need) {
		return need
	}
	b.reserved = true
	return 0
}

// room counts the bytes of a reply, or answers the limit that they would exceed.
func (b *batch) room(id, reply []byte) (limit int64) {
	more := max(int64(len(reply)-len(id)-memberBytes), 0)
	switch {
	case b.size+len(reply) > maxBatchReply:
		return maxBatchReply
	case b.reserved && !b.session.budget.reserve(more):
		return maxPending
	}
	b.size += len(reply)
	b.more += more
	return 0
}

// maxBatchReply bounds the replies of a batch, in bytes; what comes after is
// answered with an error.
const maxBatchReply = 64 << 20

func (b *batch) add(id, reply []byte) {
	switch limit := b.room(id, reply); limit {
	case 0:
	case maxBatchReply:
		reply = tooLong(id, limit, "the replies of the batch are longer than %d bytes; ask for this one alone")
	default:
		reply = tooLong(id, limit, "what is not answered yet on this connection, as this batch, holds more than %d bytes; ask for this one alone")
	}
	b.replies = append(b.replies, reply)
	b.missing--
	b.check()
}

func tooLong(id []byte, limit int64, format string) []byte {
	e := wire.NewError(schema.CodeTooLarge, format, limit)
	e.Data.Limit = limit
	return wire.AppendError(nil, id, e)
}

// check sends the replies when all are there, and after them the events of the batch's tasks that were held
// back.
func (b *batch) check() {
	if b.open || b.missing > 0 {
		return
	}
	if len(b.replies) > 0 {
		b.session.out.message(b.appendReplies)
	}
	if b.reserved {
		b.session.budget.release(b.least + b.more)
	}
	b.session.release(b.ctx, b.hold)
}

func (b *batch) appendReplies(out []byte) []byte {
	for i, reply := range b.replies {
		out = append(append(out, "[,"[min(i, 1)]), reply...)
	}
	return append(out, ']')
}
