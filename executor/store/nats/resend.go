package nats

import "time"

// This file sends messages again that have not come back through the log. A second copy of a message that has
// arrived changes nothing, but it is written to the disks of the servers. So few are sent: a late message is most
// likely late because the servers are slow.

const (
	// resendAfter is how long a message may be in flight, at least, before it is sent again.
	resendAfter = 2 * time.Second
	// resendAtMost is how long a message may be in flight, at most, before it is sent again: so the end of an
	// outage is noticed soon.
	resendAtMost = 2 * resendAfter
	// resendSoon is how long the messages after one that was sent again may take once that one has arrived.
	resendSoon = resendAfter / 4
)

// pace decides when a message is sent again.
type pace struct {
	wait time.Duration // how long a message may be in flight; 0 means resendAfter
	trip time.Duration // how long the latest message took that was sent only once
	// arrivedLate is when a message arrived that was sent more than once: the messages after it may be lost,
	// too. It is zero if a message that was sent once has arrived since.
	arrivedLate time.Time
}

// arrived notes that a message has arrived. Only a message that was sent once says how long the servers take.
func (p *pace) arrived(f *flight, now time.Time) {
	if f.resends > 0 {
		p.arrivedLate = now
		return
	}
	p.arrivedLate = time.Time{}
	p.trip = now.Sub(f.sent)
	p.wait = min(max(3*p.trip, resendAfter), resendAtMost)
}

// late are the messages to send again now, of those in flight. If nothing has arrived for a while, it is the
// first message. If that one has arrived and no other has, it is all that were sent before it arrived. The wait
// doubles while nothing comes.
func (p *pace) late(under []*flight, now time.Time) []*flight {
	if !p.arrivedLate.IsZero() {
		if now.Sub(p.arrivedLate) < resendSoon {
			return nil
		}
		n := 0
		for n < len(under) && under[n].sent.Before(p.arrivedLate) {
			n++
		}
		p.arrivedLate = time.Time{}
		return sentAgain(under[:n], now)
	}
	p.wait = max(p.wait, resendAfter)
	if len(under) == 0 || now.Sub(under[0].sent) < p.wait {
		return nil
	}
	p.wait = min(2*p.wait, resendAtMost)
	return sentAgain(under[:1], now)
}

// sentAgain notes that messages are sent again, and answers a copy of the list.
func sentAgain(all []*flight, now time.Time) []*flight {
	for _, f := range all {
		f.sent = now
		f.resends++
	}
	return append([]*flight(nil), all...)
}

// resendLate sends messages again that have been in flight for too long.
func (s *Store) resendLate() {
	s.mu.Lock()
	late := s.pace.late(s.flights, time.Now())
	s.mu.Unlock()
	for _, f := range late {
		s.publish(f)
	}
}

// resendAll sends every message in flight again: the connection is new, or a message was lost.
func (s *Store) resendAll() {
	s.mu.Lock()
	all := sentAgain(s.flights, time.Now())
	s.mu.Unlock()
	for _, f := range all {
		s.publish(f)
	}
}

// noteLost notes that a message of this process has arrived although the one before it has not. All messages
// are sent again, and only once: more such messages may come that were sent earlier.
func (s *Store) noteLost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flights) > 0 && !s.flights[0].lost {
		s.flights[0].lost = true
		wake(s.resend)
	}
}
