package nats

import (
	"context"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file checks what drivers write. Nobody may have checked it: the permissions of NATS say who writes, and
// not what. All copies refuse the same.

// checkDriverChange checks a change of a driver, but for submissions.
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

// submitFunc is a method of the tasks that takes submissions.
type submitFunc func(context.Context, []executor.Submission) ([]executor.Submitted, error)

// submit makes submissions in a way. Of those of a driver it makes the ones that are as a server makes them, or none
// where it is all or none. That an id is new it must not say.
func (m *machine) submit(p *peer, asked []executor.Submission, all bool, way submitFunc) ([]executor.Submitted, error) {
	ctx := context.Background()
	if p.about.Role != RoleDriver {
		return way(ctx, asked)
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
	made, err := way(ctx, good)
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
	// maxDriverLease is how long a driver may be silent at most before it is given up.
	maxDriverLease = time.Hour
)

// bounded is what a driver says of itself, within what all keep of it.
func (h hello) bounded() hello {
	name := func(text string) string { return schema.CutBytes(text, executor.MaxNameBytes) }
	// A longer lease would keep the driver among the peers for ever.
	lease := min(max(h.Lease, int64(time.Second)), int64(maxDriverLease))
	return hello{Name: name(h.Name), Host: name(h.Host), PID: h.PID, Lease: lease, Role: RoleDriver, Rules: h.Rules}
}
