package nats

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
)

// This file makes messages of changes, and sends them.

const (
	// formatVersion is the first byte of each piece of a message.
	formatVersion = 2
	headBytes     = 1 + 16 + 8 + 1
	// moreFollows is the last byte of the head of a piece that is not the last of its message.
	moreFollows = 1
)

// head stands before each piece of a message. Each piece has a number of its own.
type head struct {
	writer uuid.UUID
	number uint64
	more   bool
}

func (h head) append(to []byte) []byte {
	to = append(to, formatVersion)
	to = append(to, h.writer[:]...)
	to = binary.BigEndian.AppendUint64(to, h.number)
	if h.more {
		return append(to, moreFollows)
	}
	return append(to, 0)
}

// headOf reads the head of a piece. ok is false if the piece has another format.
func headOf(piece []byte) (h head, rest []byte, ok bool) {
	if len(piece) < headBytes || piece[0] != formatVersion {
		return h, nil, false
	}
	copy(h.writer[:], piece[1:])
	h.number = binary.BigEndian.Uint64(piece[17:])
	h.more = piece[25] == moreFollows
	return h, piece[headBytes:], true
}

// sendAll sends the queued changes, and sends messages again that are late, until ctx ends.
func (s *Store) sendAll(ctx context.Context) {
	retry := time.NewTicker(resendSoon)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.send:
		case <-retry.C:
			s.resendLate()
		case <-s.resend:
			s.resendAll()
		}
		for s.sendNext() {
		}
	}
}

// sendNext sends one message. It reports false if nothing is queued, or too many messages are in flight.
func (s *Store) sendNext() bool {
	s.mu.Lock()
	if len(s.queue) == 0 || len(s.flights) >= maxFlights {
		s.mu.Unlock()
		return false
	}
	f := &flight{changes: s.gather(), sent: time.Now(), first: readClocks()}
	f.pieces = s.pieces(f.changes)
	f.number = s.number + uint64(len(f.pieces))
	s.number = f.number
	s.flights = append(s.flights, f)
	s.mu.Unlock()
	s.publish(f)
	return true
}

// pieces encodes changes as a message, and splits it. The caller holds mu, because the pieces get the next
// numbers.
func (s *Store) pieces(of []*pending) (pieces [][]byte) {
	changes := make([]change, len(of))
	for i, p := range of {
		changes[i] = p.change
	}
	text, err := encode(changes)
	if err != nil { // cannot happen: input that JSON cannot represent was refused before
		s.log.Error("a change cannot be written", "error", err)
		text, _ = encode(make([]change, len(of)))
	}
	for number, most := s.number+1, s.pieceBytes; ; number++ {
		n := min(most, len(text))
		h := head{s.self, number, n < len(text)}
		pieces = append(pieces, append(h.append(make([]byte, 0, headBytes+n)), text[:n]...))
		if text = text[n:]; len(text) == 0 {
			return pieces
		}
	}
}

// publish sends a message. That it has arrived is seen when it is applied; an error that NATS reports later
// goes to setFault.
func (s *Store) publish(f *flight) {
	for _, piece := range f.pieces {
		if err := s.journal.write(piece); err != nil {
			s.setFault(err)
			return // resendLate sends it again
		}
	}
}
