package top

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// aroundEvery is how often the groups, the schedules and the executors are asked for.
	aroundEvery = 2 * time.Second
	// mostAround is how many groups, and how many schedules, are looked at.
	mostAround = 100
	// mostPaused is how many paused groups are named.
	mostPaused = 3
)

// around is what the executor has beside tasks: settings that hold tasks up, and tasks to come.
type around struct {
	paused    bool     // everything
	groups    []string // those that are paused
	schedules int      // that have a time to come
	more      bool     // there are more schedules
	next      string   // the name of the schedule that is due next
	nextAt    schema.Time
	runners   runners
}

// lookAround asks for the groups, the schedules and the executors. A server of an older version has none.
func (s *source) lookAround(ctx context.Context, c *client.Client, w *world) error {
	groups, err := c.Groups(ctx, schema.GroupsParams{Limit: mostAround})
	if err != nil && !answered(err) {
		return err
	}
	schedules, err := c.Schedules(ctx, schema.SchedulesParams{Limit: mostAround})
	if err != nil && !answered(err) {
		return err
	}
	runners, err := lookAtRunners(ctx, c)
	if err != nil {
		return err
	}
	a := around{paused: groups.Paused, more: schedules.NextCursor != "", runners: runners}
	for i := range groups.Groups {
		if g := &groups.Groups[i]; g.Paused {
			a.groups = append(a.groups, g.Name)
		}
	}
	for i := range schedules.Schedules {
		at := schedules.Schedules[i].NextAt
		if at.IsZero() {
			continue
		}
		if a.schedules++; a.next == "" || at < a.nextAt {
			a.next, a.nextAt = schedules.Schedules[i].Name, at
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.around = a
	return nil
}

// words say it beside the title of the queue, but for a pause of everything, which is told as
// the reason why tasks wait.
func (a *around) words(now time.Time) (words []string) {
	if n := len(a.groups); n > mostPaused {
		words = append(words, fmt.Sprintf("%d groups are paused", n))
	} else if n > 0 {
		words = append(words, "paused: "+show.Line(strings.Join(a.groups, ", ")))
	}
	if a.schedules > 0 {
		count := fmt.Sprint(a.schedules)
		if a.more {
			count += "+"
		}
		words = append(words, fmt.Sprintf("schedules: %s, next %s at %s", count, show.Line(a.next), show.Clock(a.nextAt, now)))
	}
	return words
}
