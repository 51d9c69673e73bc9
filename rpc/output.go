package rpc

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// maxOutputPiece is the most bytes of output in one notification.
const maxOutputPiece = 64 << 10

// cursors say how far the streams of a task have been sent to this client.
type cursors struct {
	sent [len(schema.StreamNames)]int64 // or notYet
	task *schema.Task                   // only members that never change are used
	all  *losslessOutput                // nil unless the client has asked for all output
}

// notYet is the cursor of a stream of which nothing was sent, and which may have
// begun before the client followed it.
const notYet = -1

// lateCursors are the cursors of a task that the client has not followed since its
// submit.
func lateCursors(t *schema.Task) *cursors {
	return &cursors{sent: [...]int64{notYet, notYet, notYet}, task: t}
}

// cursorsOf finds or makes the cursors of the task of an event. The caller holds mu.
func (s *session) cursorsOf(ev *executor.Event) *cursors {
	at, own := s.cursors[ev.ID]
	if own && at == nil {
		at = &cursors{task: ev.Task}
		s.cursors[ev.ID] = at
	}
	if own {
		return at
	}
	if at = s.subscribedOutput[ev.ID]; at == nil {
		at = lateCursors(ev.Task)
		if s.wantsOutput(ev.Task) { // otherwise no end would come by which the cursors are dropped
			s.subscribedOutput[ev.ID] = at
		}
	}
	return at
}

// sendOutput sends a stream up to the end of the event. The bytes are read from the
// store only now, so a slow client costs no memory; what the store no longer has is
// sent as a gap. The caller holds mu.
func (s *session) sendOutput(ctx context.Context, ev *executor.Event) {
	at := s.cursorsOf(ev)
	if at.all != nil && !at.all.reader.Waited() {
		at.endLossless()
	}
	if at.all != nil {
		s.sendAllOutput(ctx, ev, at)
	} else {
		s.sendPiece(ctx, ev, at, ev.Seq, ev.End, false)
	}
}

// sendRest sends the rest of every stream of a finished task, with the numbers that
// the event reserves for that. The caller holds mu.
func (s *session) sendRest(ctx context.Context, ev *executor.Event) {
	at := s.cursors[ev.ID]
	if at == nil {
		at = s.subscribedOutput[ev.ID]
	}
	delete(s.cursors, ev.ID)
	delete(s.subscribedOutput, ev.ID)
	if at == nil {
		return
	}
	tails := at.endLossless()
	total := ev.Task.OutputBytes
	if total == nil {
		return
	}
	for i, end := range []int64{total.Stdout, total.Stderr, total.Log} {
		rest := *ev
		rest.Stream = schema.Stream(i)
		if tail := tails[i]; len(tail) > 0 && at.sent[i]+int64(len(tail)) == end { // works even if the task is no longer kept
			s.sendBytes(&rest, ev.Seq-executor.SeqsPerFinish+1+uint64(i), at.sent[i], tail, 0)
			continue
		}
		s.sendPiece(ctx, &rest, at, ev.Seq-executor.SeqsPerFinish+1+uint64(i), end, true)
	}
}

// sendPiece sends the bytes of a stream from its cursor to end. Unless last is set,
// an incomplete character at the end is left for the next piece.
func (s *session) sendPiece(ctx context.Context, ev *executor.Event, at *cursors, seq uint64, end int64, last bool) {
	from := &at.sent[ev.Stream]
	if *from == notYet && !last {
		*from = ev.Offset
	}
	if *from >= end || *from == notYet {
		return
	}
	begin := max(*from, end-maxOutputPiece)
	var piece executor.OutputPiece
	err := errNoRoom // a batch releases the events of many tasks at once
	if s.out.unsent() <= s.options.MaxUnsent {
		piece, err = s.executor.Output(ctx, ev.ID, ev.Stream, executor.OutputRange{Offset: begin, Tail: -1, Limit: end - begin})
	}
	if err != nil { // or the task is no longer kept: only the gap is sent
		piece, last = executor.OutputPiece{Offset: end}, true
	}
	data := piece.Data
	if !last {
		data = data[:wholeRunes(data)]
	}
	if len(data) == 0 && (!last || piece.Offset == *from) {
		return
	}
	gap := piece.Offset - *from
	*from = piece.Offset + int64(len(data))
	s.sendBytes(ev, seq, piece.Offset, data, gap)
}

// sendBytes sends bytes of the event's stream. The caller holds mu.
func (s *session) sendBytes(ev *executor.Event, seq uint64, offset int64, data []byte, gap int64) {
	text, encoding := schema.EncodeOutput(data)
	message := schema.OutputEvent{
		ID: ev.ID, Seq: seq, Stream: ev.Stream, Offset: offset, Data: text, Encoding: encoding, Gap: gap,
	}
	s.sent += eventBytes + len(data)
	s.out.notify(schema.NotifyOutput, func(b []byte) []byte { return wire.AppendJSON(b, message) })
}

var errNoRoom = errors.New("the client has not read what was sent before")

// wholeRunes is the length of data without an incomplete character at its end.
func wholeRunes(data []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(data); back++ {
		c := data[len(data)-back]
		if utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(data[len(data)-back:]) {
				return len(data) - back
			}
			break
		}
	}
	return len(data)
}

// defaultOutput is how many bytes the method output answers where the request does
// not say.
const defaultOutput = 64 << 10

func (s *session) output(ctx context.Context, p *schema.OutputParams) (any, error) {
	if p.Offset != nil && p.TailBytes != nil {
		return nil, invalid("/tailBytes", "offset and tailBytes exclude each other")
	}
	if p.Limit == 0 {
		p.Limit = defaultOutput
	}
	r := executor.OutputRange{Tail: -1, Limit: p.Limit}
	if p.Offset != nil {
		r.Offset = *p.Offset
	}
	if p.TailBytes != nil {
		r.Tail = *p.TailBytes
	}
	stream := schema.Stdout
	if p.Stream != nil {
		stream = *p.Stream
	}
	piece, err := s.executor.Output(ctx, p.ID, stream, r)
	if err != nil {
		return nil, err
	}
	data := piece.Data
	reachesEnd := piece.Offset+int64(len(data)) == piece.Total
	if !piece.Final || !reachesEnd {
		if n := wholeRunes(data); n > 0 {
			data = data[:n]
		}
	}
	text, encoding := schema.EncodeOutput(data)
	next := piece.Offset + int64(len(data))
	return schema.OutputResult{
		Data: text, Encoding: encoding, Offset: piece.Offset, NextOffset: next,
		EOF: piece.Final && next == piece.Total, TruncatedBefore: piece.First,
	}, nil
}
