package nats

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file keeps the leases of this process alive, and fences processes that are silent.
//
// A process gives its own leases up when two thirds of a lease have passed since it sent the latest message
// that has come back to it through the log. The other processes fence it when they have heard nothing from it
// for a whole lease, while their own messages came through. A fence is an entry of the log: after it, nothing
// that the fenced process wrote has an effect.

// beat writes a Beat several times in each lease, until ctx ends.
func (s *Store) beat(ctx context.Context) {
	every := time.NewTicker(s.options.Lease / beatsPerLease)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			s.beatOnce()
		}
	}
}

func (s *Store) beatOnce() {
	s.mu.Lock()
	drifts := s.isLate() && !s.leasesDropped
	if drifts {
		s.leasesDropped, s.silenceLogged = true, true
	}
	if s.beating < maxBeats && !s.closing {
		s.beating++
		beat := change{Beat: true}
		if s.seen.Entry > 0 {
			beat.Seen = new(s.seen)
		}
		s.enqueue(&pending{change: beat, done: func(answer) { s.fenceSilentPeers() }})
	}
	if !s.refusedSince.IsZero() { // while this process is refused, only a resent message shows whether messages come through
		wake(s.resend)
	}
	s.mu.Unlock()
	if drifts {
		s.log.Error("nothing of this process was recorded for most of its lease; its tasks are stopped", "lease", s.options.Lease)
		s.giveUpLeases()
	}
}

// isLate reports whether so much of the lease has passed that the tasks of this process must stop. The lease
// counts from when the latest message that has come through was sent, and not from when it was applied: it may
// have waited in the log for long, and the others may have heard nothing since. The caller holds mu.
func (s *Store) isLate() bool { return s.leaseFrom.elapsed() > s.options.Lease*2/3 }

// moment is one time on two clocks of this machine. The monotonic clock stands still while the machine sleeps,
// and the wall clock may be set.
type moment struct{ awake, wall time.Time }

func readClocks() moment {
	now := time.Now()
	return moment{now, now.Round(0)}
}

// elapsed is how much time has passed, by the clock that has advanced more. So a lease may seem over too early,
// and never too late.
func (m moment) elapsed() time.Duration {
	now := readClocks()
	return max(now.awake.Sub(m.awake), now.wall.Sub(m.wall))
}

// maxSkew is how far the clock of this machine may be from that of the servers before a warning is logged.
const maxSkew = time.Minute

// noteContact notes that a message of this process was applied. at is when the servers stored it.
func (s *Store) noteContact(at schema.Time) {
	ahead := time.Duration(schema.Now()-at) * time.Microsecond
	wasOff := s.clockOff()
	s.clockAhead.Store(int64(ahead))
	if s.clockOff() && !wasOff {
		s.log.Warn("the clock of this machine is not that of the NATS servers; times to wait for count by theirs", "ahead", ahead.Round(time.Second))
	}
	s.mu.Lock()
	silence := s.lastContact.elapsed()
	if silence > 2*s.options.Lease/beatsPerLease {
		s.steadySince = time.Now()
	}
	back := s.silenceLogged
	s.lastContact, s.fault = readClocks(), nil
	s.leasesDropped = s.leasesDropped && s.isLate()
	s.silenceLogged = s.leasesDropped
	back = back && !s.silenceLogged
	s.mu.Unlock()
	if back {
		s.log.Info("what this process writes is recorded again", "after", silence.Round(time.Second))
	}
}

// clockOff reports whether the clock of this machine differs too much from that of the servers.
func (s *Store) clockOff() bool { return time.Duration(s.clockAhead.Load()).Abs() > maxSkew }

// fenceSilentPeers runs after each Beat of this process was applied, and fences the processes that are silent.
// The goroutine that applies the log calls it.
func (s *Store) fenceSilentPeers() {
	s.mu.Lock()
	s.beating--
	self := s.self
	s.mu.Unlock()
	if s.options.Role != RoleExecutor {
		return
	}
	maps.DeleteFunc(s.silent, func(id uuid.UUID, last uint64) bool {
		p := s.machine.peers[id]
		return p == nil || p.last != last
	})
	for id, p := range s.machine.peers {
		if _, given := s.silent[id]; !given && id != self && s.isSilent(p) {
			s.silent[id] = p.last
			s.log.Warn("a process that shares the store is silent; its tasks are settled", "process", p.about.Name, "host", p.about.Host)
			_ = s.put(&pending{change: change{Fence: &fence{Peer: id, Last: p.last}}})
		}
	}
}

// isSilent reports whether nothing was heard from a process for its lease, while messages of this process came
// through.
func (s *Store) isSilent(p *peer) bool {
	s.mu.Lock()
	heard := s.steadySince
	s.mu.Unlock()
	if p.heard.After(heard) {
		heard = p.heard
	}
	return time.Since(heard) > time.Duration(p.about.Lease)
}

// giveUpLeases tells all tasks that run here that their leases are lost, and writes an entry by which they are
// settled. A claim that is in flight is not part of that: its task has not begun.
func (s *Store) giveUpLeases() {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.leases))
	s.mu.Unlock()
	var given []attempt
	for _, l := range all {
		if l.lose(executor.ErrLeaseLost) {
			given = append(given, l.of)
		}
	}
	if given != nil {
		_ = s.put(&pending{change: change{Drop: true, Leases: given}}) // a closed store settles them by its Leave, a broken one by the end of its lease
	}
}

// rejoin joins the others again under a new id, after they have taken this process out. Changes in flight had
// no effect under the old id: those that need a lease fail with ErrLeaseLost, and the others are sent again.
func (s *Store) rejoin() {
	s.mu.Lock()
	var under []*pending
	for _, f := range s.flights {
		under = append(under, f.changes...)
	}
	under = append(under, s.queue...)
	s.self, s.number, s.flights, s.queue, s.queuedBytes, s.leasesDropped = uuid.New(), 0, nil, nil, 0, false
	if s.closing {
		s.mu.Unlock()
		for _, p := range under {
			p.resolve(answer{err: executor.ErrLeaseLost})
		}
		return
	}
	s.enqueue(&pending{change: s.hello()})
	for _, c := range s.claimers {
		s.enqueue(c.rejoinChange())
	}
	for _, g := range s.waiting { // their claimers are gone from the copy, so nothing would wake them
		s.enqueue(g.pending(false))
	}
	s.waiting = nil
	var lost []*pending
	for _, p := range under {
		if p.needsLease() {
			lost = append(lost, p)
		} else {
			s.enqueue(p)
		}
	}
	s.mu.Unlock()
	for _, p := range lost {
		p.resolve(answer{err: executor.ErrLeaseLost})
	}
}

// rejoinIfRemoved joins again if the process that the log has removed, nil for none, is this one.
func (s *Store) rejoinIfRemoved(removed *peer, why string) {
	if removed != nil && removed.id == s.self {
		s.log.Warn("the others have fenced this process; it joins again", "reason", why)
		s.rejoin()
	}
}

// needsLease reports whether the change has an effect only while its writer holds leases.
func (c *change) needsLease() bool {
	return c.Started != nil || c.Progress != nil || c.Output != nil || c.Finish != nil || c.Retry != nil || c.Release != nil || c.Return != nil || c.Drop
}

// retentionTimeout is how long a read waits at most until the retention limits are applied.
const retentionTimeout = time.Second

// applyRetention makes the log apply the retention limits if they are overdue by the servers' clock, so that no
// reader is shown a task that should be forgotten. Where this process may not write, or the log does not take the entry
// soon, such a task is shown a little longer.
func (s *Store) applyRetention(ctx context.Context) error {
	if !s.machine.tasks.Overdue(schema.Now() - schema.Time(time.Duration(s.clockAhead.Load()).Microseconds())) {
		return nil
	}
	if s.options.Role == RoleViewer || !s.Reached() {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, retentionTimeout)
	defer cancel()
	_, err := s.do(soon, change{Beat: true})
	if errors.Is(err, executor.ErrStoreUnavailable) || ctx.Err() == nil && soon.Err() != nil {
		return nil
	}
	return err
}
