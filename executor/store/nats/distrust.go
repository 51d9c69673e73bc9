package nats

import (
	"context"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file checks the changes that drivers write. No server of jobline may have checked them: the permissions
// of NATS say who may write, and not what. All copies refuse the same changes.

// checkDriverChange says why a change of a driver is refused, or nil. submit checks submissions.
func (m *machine) checkDriverChange(c *change) error {
	switch {
	case c.Cancel != nil:
		return c.Cancel.cancellation().Check()
	case c.Update != nil:
		return c.Update.update().Check()
	case c.Schedules != nil:
		known, err := m.tasks.Schedules(context.Background())
		if err != nil {
			return err
		}
		return executor.CheckSchedules(textsOf(c.Schedules), known)
	}
	return nil
}

// submitFunc is a method of the replica that takes submissions.
type submitFunc func(context.Context, []executor.Submission) ([]executor.Submitted, error)

// submit applies submissions. The submissions of a driver get the checks that a server makes: each bad one is
// refused, or all of them if all is set. A driver may not claim that an id is new.
func (m *machine) submit(p *peer, asked []executor.Submission, all bool, apply submitFunc) ([]executor.Submitted, error) {
	ctx := context.Background()
	if p.about.Role != RoleDriver {
		return apply(ctx, asked)
	}
	resources := m.tasks.Options().Resources
	answers := make([]executor.Submitted, len(asked))
	var good []executor.Submission
	for i := range asked {
		asked[i].NewID = false
		if answers[i].Err = asked[i].Check(resources); answers[i].Err == nil {
			good = append(good, asked[i])
		}
	}
	if len(good) == 0 || all && len(good) < len(asked) {
		return answers, nil
	}
	made, err := apply(ctx, good)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if answers[i].Err == nil {
			answers[i], made = made[0], made[1:]
		}
	}
	return answers, nil
}

const (
	// maxDriverLease bounds the lease of a driver: how long it may be silent before it is fenced.
	maxDriverLease = time.Hour
	// maxDrivers is how many drivers of a namespace are known at once. Every copy keeps a record of each, and
	// one user of NATS can send a hello under any number of ids.
	maxDrivers = 10_000
)

// makeRoomForDriver removes a driver if there are as many as may be, and answers it, so that another one can
// join. The driver that was silent for longest goes, first of those that have sent nothing but their hello:
// so many hellos push out each other, and not those who work. All copies choose the same.
func (m *machine) makeRoomForDriver() (removed *peer) {
	n := 0
	for _, p := range m.peers {
		if p.about.Role == RoleExecutor {
			continue
		}
		if n++; removed == nil || p.leavesBefore(removed) {
			removed = p
		}
	}
	if n < maxDrivers {
		return nil
	}
	m.remove(removed)
	return removed
}

// leavesBefore reports whether a driver makes room before another one.
func (p *peer) leavesBefore(o *peer) bool {
	if saidHello := p.last <= 1; saidHello != (o.last <= 1) {
		return saidHello
	}
	return p.latest < o.latest || p.latest == o.latest && compareIDs(p.id, o.id) < 0
}

// bounded is the hello of a driver, cut to what every copy keeps of it.
func (h hello) bounded() hello {
	name := func(text string) string { return schema.CutBytes(text, executor.MaxNameBytes) }
	// Without a bound a driver could stay among the peers for ever.
	lease := min(max(h.Lease, int64(time.Second)), int64(maxDriverLease))
	return hello{Name: name(h.Name), Host: name(h.Host), PID: h.PID, Lease: lease, Role: RoleDriver, Rules: h.Rules}
}
