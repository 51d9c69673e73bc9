package plan

import "github.com/jobline/jobline/schema"

// Next is when Advance will change something: a task may run or expires, or the rate of a group lets a task
// begin. The zero time means never.
func (p *Planner) Next() (next schema.Time) {
	sooner := func(at schema.Time) {
		if next.IsZero() || at < next {
			next = at
		}
	}
	if p.due.len() > 0 {
		sooner(p.due.first().Conditions.RunAt)
	}
	if p.expiries.len() > 0 {
		sooner(p.expiries.first().Conditions.ExpiresAt)
	}
	if p.closings.len() > 0 {
		sooner(p.closings.first().reopens)
	}
	return next
}

// Advance sets the time, and does what is due then, for at most that many tasks and groups. It reports whether
// there is more to do, so that a store can let others have its lock between two calls.
func (p *Planner) Advance(now schema.Time, most int) (more bool) {
	p.now = now
	for ; most > 0; most-- {
		switch {
		case p.expiries.len() > 0 && p.expiries.first().expired(now):
			p.expire(p.expiries.first())
		case p.due.len() > 0 && p.due.first().Conditions.RunAt <= now:
			t := p.due.first()
			p.due.remove(t)
			p.admit(t)
		case p.closings.len() > 0 && p.closings.first().reopens <= now:
			g := p.closings.first()
			p.closings.remove(g)
			g.update()
		default:
			return false
		}
	}
	next := p.Next()
	return !next.IsZero() && next <= now
}

func (t *Task) expired(now schema.Time) bool {
	at := t.Conditions.ExpiresAt
	return !at.IsZero() && at <= now
}

// expire ends a task that has expired.
func (p *Planner) expire(t *Task) {
	p.Remove(t)
	p.changes.Ending = append(p.changes.Ending, Ending{Task: t})
}
