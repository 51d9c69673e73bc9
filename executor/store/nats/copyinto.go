package nats

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// This file fills a namespace with a copy: it writes a mark to the log, and a snapshot at that entry. Until the
// last message of the snapshot is stored, no server opens the namespace.

// target is a namespace that is being filled.
type target struct {
	address    Address
	conn       *natsgo.Conn
	shelf      *streamSnapshotStore
	denied     *denials
	pieceBytes int
	mark       entry
	snapshot   storedSnapshot
	last       []byte // the last message of the snapshot
	read       *memory.Replica
}

// CopyInto begins to fill a namespace, which must have been made by Init, with an empty log. If an earlier copy
// into it was not committed, the copy begins anew. No server can open the namespace before the Commit. It needs
// the permissions of RoleExecutor.
func CopyInto(ctx context.Context, a Address, c Credentials) (transfer.Target, error) {
	denied := newDenials()
	conn, err := dial(a, c, natsgo.ErrorHandler(func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { denied.note(err) }))
	if err != nil {
		return nil, err
	}
	t := &target{address: a, conn: conn, denied: denied, pieceBytes: int(min(conn.MaxPayload(), maxPiece)) - 1024} // of headers
	if err = t.begin(ctx, c); err != nil {
		conn.Close()
		return nil, cmp.Or(denied.err(), err)
	}
	return t, nil
}

// begin checks that the namespace is empty, and writes the mark.
func (t *target) begin(ctx context.Context, c Credentials) error {
	js, err := jetstream.New(t.conn)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	ctx, done := t.denied.cancelOnRefusal(ctx)
	defer done()
	log, err := askServers(ctx, func(ctx context.Context) (jetstream.Stream, error) { return js.Stream(ctx, t.address.StreamName()) })
	if err != nil {
		return streamError(t.address, c, err)
	}
	if err := checkStream(t.address, log.CachedInfo().Config); err != nil {
		return err
	}
	if t.shelf, err = newSnapshotStore(t.conn, t.address, log); err != nil {
		return err
	}
	if err := cmp.Or(t.shelf.check(ctx)); err != nil {
		return err
	}
	state := log.CachedInfo().State
	if err := t.isEmpty(ctx, &state); err != nil {
		return err
	}
	ack, err := js.PublishMsg(ctx, &natsgo.Msg{Subject: t.address.subject(RoleExecutor), Data: copyMark(uuid.New())},
		jetstream.WithExpectStream(t.address.StreamName()), jetstream.WithExpectLastSequence(state.LastSeq))
	if err != nil {
		return fmt.Errorf("the copy into the namespace %s cannot be begun: another process writes to it, or its servers refuse the entry: %w", t.address.Namespace, err)
	}
	mark, err := log.GetMsg(ctx, ack.Sequence)
	if err != nil {
		return streamError(t.address, c, err)
	}
	t.mark = entry{sequence: ack.Sequence, at: schema.TimeOf(mark.Time)}
	return t.removeOthers(ctx)
}

// maxCopyMarks bounds how many entries are read to see whether all of them are marks of unfinished copies.
const maxCopyMarks = 16

// isEmpty fails if there is anything in the namespace but marks of unfinished copies.
func (t *target) isEmpty(ctx context.Context, state *jetstream.StreamState) error {
	full := fmt.Errorf("the namespace %s is not empty: its log goes up to entry %d; make another one with jobline store init, and copy into that", t.address.Namespace, state.LastSeq)
	if state.LastSeq == 0 {
		return nil
	}
	if state.Msgs == 0 || state.LastSeq-state.FirstSeq >= maxCopyMarks {
		return full
	}
	whole, _, err := t.shelf.list(ctx)
	if err != nil {
		return err
	}
	if len(whole) > 0 {
		return full
	}
	for n := state.FirstSeq; n <= state.LastSeq; n++ {
		m, err := t.shelf.log.GetMsg(ctx, n)
		if err != nil {
			return err
		}
		if !isCopyMark(m.Data) {
			return full
		}
	}
	return nil
}

// removeOthers removes the pieces of snapshots that unfinished copies have left.
func (t *target) removeOthers(ctx context.Context) error {
	if err := t.shelf.make(ctx); err != nil {
		return err
	}
	_, others, err := t.shelf.list(ctx)
	for _, one := range others {
		if err == nil {
			err = t.shelf.remove(ctx, one.subject)
		}
	}
	return err
}

// Fill implements transfer.Target. It holds the whole content in memory, as each process of the namespace does.
func (t *target) Fill(ctx context.Context, from transfer.Source) error {
	tasks, err := memory.RefilledReplica(ctx, from, t.mark.at)
	if err != nil {
		return err
	}
	defer tasks.Close()
	m := machineOf(tasks)
	m.limited = true // the limits of the copy apply
	t.snapshot = storedSnapshot{subject: t.shelf.subjectOf(t.mark.sequence), Entry: t.mark.sequence, At: int64(t.mark.at)}
	pieces := bufio.NewWriterSize(&pieceSender{ctx, t}, t.pieceBytes)
	if err = m.snapshot(pieces, t.mark); err == nil {
		err = pieces.Flush()
	}
	if err == nil {
		t.last, err = json.Marshal(&t.snapshot)
	}
	if err != nil {
		return t.cannotStore(err)
	}
	return nil
}

func (t *target) cannotStore(err error) error {
	return fmt.Errorf("the copy cannot be stored in the namespace %s: %w", t.address.Namespace, cmp.Or(t.denied.err(), err))
}

// pieceSender stores what is written to it as pieces of the snapshot.
type pieceSender struct {
	ctx context.Context
	to  *target
}

func (s *pieceSender) Write(p []byte) (int, error) {
	k := &s.to.snapshot
	for rest := p; len(rest) > 0; {
		n := min(len(rest), s.to.pieceBytes)
		if err := s.to.shelf.publish(s.ctx, &natsgo.Msg{Subject: k.subject, Data: rest[:n]}); err != nil {
			return 0, err
		}
		rest = rest[n:]
		k.Pieces++
	}
	k.Bytes += int64(len(p))
	return len(p), nil
}

// Filled implements transfer.Target.
func (t *target) Filled(ctx context.Context) (transfer.Source, error) {
	from, closes, err := t.shelf.open(ctx, t.snapshot)
	if err != nil {
		return nil, err
	}
	defer closes()
	m, _, err := restoreMachine(from, func() {})
	if err != nil {
		return nil, err
	}
	t.read = m.tasks
	return m.tasks.Contents()
}

// Commit implements transfer.Target.
func (t *target) Commit(ctx context.Context) error {
	now, err := t.shelf.extent(ctx)
	if err != nil {
		return t.cannotStore(err)
	}
	if now.last != t.mark.sequence {
		return fmt.Errorf("another process wrote to the namespace %s while it was filled: a server, or another copy; end it, and copy into another namespace", t.address.Namespace)
	}
	if err := t.shelf.publish(ctx, &natsgo.Msg{Subject: t.snapshot.subject, Data: t.last, Header: natsgo.Header{wholeHeader: {"1"}}}); err != nil {
		return t.cannotStore(err)
	}
	whole, _, err := t.shelf.list(ctx)
	if err == nil && (len(whole) != 1 || whole[0].subject != t.snapshot.subject) {
		err = errors.New("its snapshot is missing; copy again")
	}
	if err != nil {
		return t.cannotStore(err)
	}
	return nil
}

// Close implements transfer.Target.
func (t *target) Close() error {
	t.conn.Close()
	if t.read != nil {
		return t.read.Close()
	}
	return nil
}
