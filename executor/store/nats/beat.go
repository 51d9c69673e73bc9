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

// This file keeps this process among those that live, and gives up those that do not.
//
// A process gives its leases up where two thirds of one are over since it sent the latest message that has come through.
// The others give it up when they have heard nothing of it for a whole one, while their own
// messages came through. What ends a lease is an entry of the log: after it, nothing that the
// process wrote counts.

// beat writes an entry several times in a lease, until ctx ends.
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
	if !s.refusedSince.IsZero() { // nothing else shows whether messages come through
		wake(s.resend)
	}
	s.mu.Unlock()
	if drifts {
		s.log.Error("nothing of this process was recorded for most of its lease; its tasks are stopped", "lease", s.options.Lease)
		s.giveUpLeases()
	}
}

// isLate reports whether so much of the lease is over that the tasks of this process must stop. The lease counts from when a message was
// sent that has come through: what is applied now may have been written long ago, and others may have heard nothing since. It needs the lock.
func (s *Store) isLate() bool { return s.leaseFrom.elapsed() > s.options.Lease*2/3 }

// moment is a time on both clocks of this machine. The one that Go measures with stands still while
// the machine sleeps, and the other one may be set.
type moment struct{ awake, wall time.Time }

func readClocks() moment {
	now := time.Now()
	return moment{now, now.Round(0)}
}

// elapsed is how much time has passed, by the clock that has gone further: a lease may be over sooner
// than this process thinks, and never later.
func (m moment) elapsed() time.Duration {
	now := readClocks()
	return max(now.awake.Sub(m.awake), now.wall.Sub(m.wall))
}

// maxSkew is how far the clock of this machine may be from that of the servers before that is told.
const maxSkew = time.Minute

// noteContact notes that a message of this process was applied, which came to the servers at a time.
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

// fenceSilentPeers looks for processes that are silent. The goroutine that applies the log calls it.
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

// isSilent reports whether nothing of a process was heard for its lease, while messages of this one came through.
func (s *Store) isSilent(p *peer) bool {
	s.mu.Lock()
	heard := s.steadySince
	s.mu.Unlock()
	if p.heard.After(heard) {
		heard = p.heard
	}
	return time.Since(heard) > time.Duration(p.about.Lease)
}

// giveUpLeases tells all tasks that run here that their leases are lost, and lets the log settle them.
// A claim that is under way is no part of that: what it gets begins later.
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
		_ = s.put(&pending{change: change{Drop: true, Leases: given}}) // a store that is over settles them by its end
	}
}

// rejoin begins anew where this process is none that the others know. All that was under way counts
// for nothing: what is of leases is over, and the rest is sent again.
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
	for _, g := range s.waiting { // nothing wakes them any more
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

// needsLease reports whether the change is of tasks that this process has.
func (c *change) needsLease() bool {
	return c.Started != nil || c.Progress != nil || c.Output != nil || c.Finish != nil || c.Retry != nil || c.Release != nil || c.Return != nil || c.Drop
}

// applyRetention lets retention forget what it would by the clock of this process, so that it is not
// shown.
func (s *Store) applyRetention(ctx context.Context) error {
	if !s.machine.tasks.Overdue(schema.Now() - schema.Time(time.Duration(s.clockAhead.Load()).Microseconds())) {
		return nil
	}
	_, err := s.do(ctx, change{Beat: true})
	if errors.Is(err, executor.ErrStoreUnavailable) {
		return nil // it is shown a little longer
	}
	return err
}
