package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file reads the log and applies it.

// followPause is how long the follower waits after an error before it reads again.
const followPause = 100 * time.Millisecond

// behindTimeout is for how long the log may seem to end before the latest entry that this process has applied.
const behindTimeout = 10 * time.Second

// errLogGap says that the log has lost entries that this process has not applied.
var errLogGap = errors.New("entries of the log are gone that this process has not read; start it again")

// follow applies the log until ctx ends. It answers an error only if the log can be applied no further.
func (s *Store) follow(ctx context.Context) error {
	var behind time.Time // since when the log seems to end too early, or zero
	for ctx.Err() == nil {
		err := s.followOnce(ctx)
		var broken *brokenLog
		if errors.As(err, &broken) || isProcessError(err) || errors.Is(err, errLogGap) || errors.Is(err, errLogAnew) {
			return err
		}
		switch {
		case !errors.Is(err, errLogBehind):
			behind = time.Time{}
		case behind.IsZero():
			behind = time.Now()
		case time.Since(behind) > behindTimeout:
			return errLogAnew
		}
		if err != nil && ctx.Err() == nil {
			s.log.Debug("the log of the store is asked for again", "error", err)
		}
		select {
		case <-time.After(followPause):
		case <-ctx.Done():
		}
	}
	return nil
}

// isProcessError reports whether an error ends this process although the log is sound.
func isProcessError(err error) bool {
	var differs *differsError
	var rules *rulesError
	return errors.As(err, &differs) || errors.As(err, &rules) || errors.Is(err, errCopyUnfinished)
}

// brokenLog says that an entry cannot be applied.
type brokenLog struct {
	sequence uint64
	why      error
}

func (b *brokenLog) Error() string {
	return fmt.Sprintf("entry %d of the log cannot be read: %v; another version of jobline has written it: end this process, and start it with the version that the others have", b.sequence, b.why)
}

// followOnce reads and applies the log until an error. It begins with the entry that was applied last, and
// checks by its time that the log is still the same one.
func (s *Store) followOnce(ctx context.Context) error {
	asking, done := s.denied.cancelOnRefusal(ctx)
	coming, err := s.journal.read(asking, max(s.applied.Load(), 1))
	err = orRefusal(asking, err)
	done()
	s.setUnread(err)
	if err != nil {
		return err
	}
	defer coming.stop()
	for first := true; ; first = false {
		e, err := coming.next(ctx)
		if err != nil {
			return err
		}
		applied := s.applied.Load()
		switch {
		case e.sequence == applied && s.appliedAt != 0 && e.at != s.appliedAt:
			return errLogAnew
		case e.sequence <= applied:
			continue
		case e.sequence > applied+1 && first:
			return errLogGap
		case e.sequence > applied+1:
			return errors.New("an entry was lost on its way")
		}
		if err := s.applyEntry(e); err != nil {
			return err
		}
		if e.sequence == s.backlog {
			close(s.backlogRead)
		}
		s.noteGrowth(e)
	}
}

func (s *Store) applyEntry(e entry) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if err := s.applyPiece(e); isProcessError(err) {
		return err
	} else if err != nil {
		return &brokenLog{e.sequence, err}
	}
	s.appliedAt = e.at
	s.applied.Store(e.sequence)
	return nil
}

// setUnread notes why the log cannot be read at the moment; nil means that it is read.
func (s *Store) setUnread(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unread = err
}

// applyPiece applies one entry of the stream. An entry that no process of the namespace has written changes
// nothing. An entry that cannot be decoded is an error if an executor has written it, and else changes nothing.
func (s *Store) applyPiece(e entry) error {
	h, text, ok := headOf(e.piece)
	switch {
	case e.isCopyMark() && s.machine.entry == 0:
		return errCopyUnfinished
	case !ok || e.role == "":
		s.warnForeignEntry(e)
		return nil
	}
	m := s.machine
	m.entry = e.sequence
	p := m.peers[h.writer]
	if p == nil {
		var err error
		if p, err = s.peerOfHello(h, text, e); p == nil || err != nil {
			return err // without an error: the process was fenced, or its hello has not come yet
		}
	}
	if p.about.Role != e.role {
		return nil // the writer uses the id of a process with another role
	}
	if h.number != p.last+1 {
		if h.number > p.last && h.writer == s.self {
			s.noteLost()
		}
		return nil
	}
	p.last = h.number
	if h.more {
		s.rejoinIfRemoved(m.keepPiece(p, text), "the unfinished messages of the drivers are too large")
		return nil
	}
	if p.partial != nil {
		text, p.partial, p.partialBytes = slices.Concat(append(p.partial, text)...), nil, 0
	}
	changes, err := decode(text)
	if err != nil {
		return e.unreadable(err)
	}
	return s.applyMessage(p, changes, e.at)
}

// warnForeignEntry logs, once, that the log has an entry that no process of the namespace has written.
func (s *Store) warnForeignEntry(e entry) {
	if s.foreignWarned {
		return
	}
	s.foreignWarned = true
	s.log.Warn("the log has an entry that no server of the namespace has written; such entries change nothing", "entry", e.sequence, "bytes", len(e.piece))
}

// unreadable is the error for an entry that cannot be decoded, or nil if its writer's role does not make it
// one.
func (e entry) unreadable(err error) error {
	if e.role != RoleExecutor {
		return nil
	}
	return err
}

// peerOfHello reads the hello of a process that is not known yet. It answers nil if the message is not a hello,
// or has no effect.
func (s *Store) peerOfHello(h head, text []byte, e entry) (*peer, error) {
	if h.number != 1 || h.more || s.machine.former.has(h.writer) {
		return nil, nil
	}
	changes, err := decodeAs(text, lenientJSON) // so that the hello of a process with other rules can be read
	if err != nil || len(changes) == 0 || changes[0].Hello == nil {
		return nil, nil
	}
	about := *changes[0].Hello
	if !about.isCurrent(e.sequence) {
		if h.writer == s.self {
			s.log.Warn("the first message of this process took too long to be recorded; it joins again")
			s.rejoin()
		}
		return nil, nil
	}
	if about.Role = e.role; about.Role != RoleExecutor {
		about = about.bounded()
	}
	return s.admitPeer(h.writer, about, e)
}

// applyMessage applies the changes of a message, and answers the callers that wait for them.
func (s *Store) applyMessage(p *peer, changes []change, at schema.Time) error {
	own := p.id == s.self
	var f *flight
	if own {
		f = s.takeFlight(p.last)
		s.noteContact(at) // before the changes are resolved: one of them looks who was silent while this process was not
	}
	m := s.machine
	m.tasks.Advance(at)
	for i := range changes {
		var a answer
		if p.about.Role.permits(&changes[i]) {
			a = m.apply(p, &changes[i], own)
		} else {
			a.err = p.about.Role.refusal()
		}
		if f != nil && i < len(f.changes) {
			f.changes[i].resolve(a)
		}
		if d := changes[i].Drain; d != nil && d.Peer == s.self && a.err == nil {
			s.drained(d)
		}
		if given := changes[i].Fence; given != nil && given.Peer == s.self && m.peers[s.self] == nil {
			s.log.Warn("the others have fenced this process, because it was silent for a whole lease; it joins again")
			s.rejoin()
		}
	}
	m.tasks.Advance(at)
	m.noteHeard(p, at)
	s.retryClaims()
	return s.compareDigests(p, changes, own)
}

// takeFlight takes the message with that number out of those in flight, or answers nil.
func (s *Store) takeFlight(number uint64) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flights) == 0 || s.flights[0].number != number {
		return nil
	}
	f := s.flights[0]
	s.flights = s.flights[1:]
	s.leaseFrom = f.first
	s.pace.arrived(f, time.Now())
	s.machine.turns.noteTrip(s.pace.trip)
	if len(s.queue) > 0 {
		wake(s.send)
	}
	return f
}
