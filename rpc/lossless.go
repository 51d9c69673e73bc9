package rpc

import (
	"bytes"
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// losslessOutput is the output of a task whose submit asked for all of it: the task blocks until its output is
// sent. It is nil for other tasks.
type losslessOutput struct {
	reader *executor.OutputReader
	// tail has the first bytes of a character at the end of each stream. They are
	// sent with the rest of the character; the task does not wait for that.
	tail [len(schema.StreamNames)][]byte
}

// beginLossless makes a task that is about to be submitted wait for this client, if its submit asks for that.
func (s *session) beginLossless(r *executor.Submission, how schema.OutputDelivery) *losslessOutput {
	if how != schema.OutputLossless {
		return nil
	}
	return &losslessOutput{reader: s.executor.ReadOutput(s.watcher, r.ID)}
}

func (l *losslessOutput) leave() {
	if l != nil {
		l.reader.Leave()
	}
}

// cursors are the cursors of a new task.
func (l *losslessOutput) cursors(r *executor.Submission) *cursors {
	if l == nil {
		return nil
	}
	return &cursors{task: identity(r), all: l}
}

// sendAllOutput sends a stream up to the end of the event. While the task waits for
// this client no event is missing, and none is longer than one message. So only
// output from before that time can be skipped. The caller holds mu.
func (s *session) sendAllOutput(ctx context.Context, ev *executor.Event, at *cursors) {
	l := at.all
	defer l.reader.Sent(ev.Stream, ev.End)
	from, tail := &at.sent[ev.Stream], &l.tail[ev.Stream]
	if *from == notYet {
		*from = ev.Offset
	}
	if *from >= ev.End {
		return
	}
	skips := ev.End-*from > maxOutputPiece
	var piece executor.OutputPiece
	if !skips {
		var err error
		piece, err = s.executor.Output(ctx, ev.ID, ev.Stream, executor.OutputRange{Offset: *from, Tail: -1, Limit: ev.End - *from})
		skips = err != nil || piece.Offset != *from
	}
	if skips {
		*from -= int64(len(*tail))
		*tail = nil
		s.sendPiece(ctx, ev, at, ev.Seq, ev.End, false)
		return
	}
	offset, data := *from-int64(len(*tail)), append(*tail, piece.Data...)
	*from += int64(len(piece.Data))
	whole := wholeRunes(data)
	*tail = bytes.Clone(data[whole:])
	if whole > 0 {
		s.sendBytes(ev, ev.Seq, offset, data[:whole], 0)
	}
}

// endLossless ends that the task waits. Later output is sent as that of any task, beginning with the tails,
// which it answers. The caller holds mu.
func (at *cursors) endLossless() (tails [len(schema.StreamNames)][]byte) {
	if at.all == nil {
		return tails
	}
	at.all.leave()
	tails, at.all = at.all.tail, nil
	for i, tail := range tails {
		at.sent[i] -= int64(len(tail))
	}
	return tails
}

// leaveAll ends that tasks wait for this client, because the client is gone.
func (s *session) leaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clientGone = true
	for _, at := range s.cursors {
		if at != nil {
			at.all.leave()
		}
	}
}
