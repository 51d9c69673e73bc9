package nats

import "time"

// This file sends messages again that are not seen in the log. A copy of one that has arrived changes
// nothing, but it is written to the disks of the servers, so few are sent: those that are late are
// late most likely because the servers are slow.

const (
	// resendAfter is how long a message may be under way, at least, before it is sent again.
	resendAfter = 2 * time.Second
	// resendAtMost is how long it may be under way at most, so that the end of an outage is soon noticed.
	resendAtMost = 2 * resendAfter
	// resendSoon is how long the messages behind one that was sent again may take when that has arrived.
	resendSoon = resendAfter / 4
)

// pace says when a message is sent again.
type pace struct {
	wait time.Duration // how long one may be under way; 0 is resendAfter
	trip time.Duration // how long the latest took that was sent once
	// arrivedLate is when a message arrived that was sent more than once, so that those behind it may
	// be lost. It is zero where one has arrived since that was sent once.
	arrivedLate time.Time
}

// arrived notes that a message has arrived. One that was sent once says how long the servers take.
func (p *pace) arrived(f *flight, now time.Time) {
	if f.resends > 0 {
		p.arrivedLate = now
		return
	}
	p.arrivedLate = time.Time{}
	p.trip = now.Sub(f.sent)
	p.wait = min(max(3*p.trip, resendAfter), resendAtMost)
}

// late are the messages to be sent again now, of those under way. Where nothing has arrived for a
// while it is the first, and where that has arrived and no other has it is all that were sent before.
// The more often nothing comes the less often it is tried.
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

// sentAgain are messages that are sent again.
func sentAgain(all []*flight, now time.Time) []*flight {
	for _, f := range all {
		f.sent = now
		f.resends++
	}
	return append([]*flight(nil), all...)
}

// resendLate sends again what has been under way for too long.
func (s *Store) resendLate() {
	s.mu.Lock()
	late := s.pace.late(s.flights, time.Now())
	s.mu.Unlock()
	for _, f := range late {
		s.publish(f)
	}
}

// resendAll sends all again that is under way: the connection is a new one, or one of them is lost.
func (s *Store) resendAll() {
	s.mu.Lock()
	all := sentAgain(s.flights, time.Now())
	s.mu.Unlock()
	for _, f := range all {
		s.publish(f)
	}
}

// noteLost notes that a message of this process has arrived whose forerunner has not. All are sent again,
// once: more such messages may come that were sent before that.
func (s *Store) noteLost() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.flights) > 0 && !s.flights[0].lost {
		s.flights[0].lost = true
		wake(s.resend)
	}
}
