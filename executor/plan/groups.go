package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/jobline/jobline/schema"
)

// MaxRateCount is the highest Rate.Count.
const MaxRateCount = 10_000

// Settings are the settings of a group. The zero value limits nothing.
type Settings struct {
	// Limit is how many tasks of the group may run at once; 0 means no limit.
	Limit int
	// Paused lets no task of the group begin.
	Paused bool
	Rate   Rate
	// Defaults are what the group gives its tasks, as a text of the executor. The planner does
	// nothing with it.
	Defaults string
}

// Rate is how many tasks may begin within any span of Per. A Count of 0 means no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// group has the lanes of the tasks that name it. The tasks without a group are in one with the name "" and no
// settings.
type group struct {
	planner  *Planner
	name     string
	settings Settings
	kept     bool // it has settings
	running  int
	lanes    []*lane
	wasOpen  bool

	starts  []schema.Time // the latest, at most Rate.Count, as a ring
	oldest  int           // where the oldest of a full ring is
	reopens schema.Time   // while the rate has closed it
	closing int32         // position in Planner.closings
}

// byReopening is the order of the groups that a rate has closed.
type byReopening struct{}

func (byReopening) before(a, b *group) bool  { return a.reopens < b.reopens }
func (byReopening) position(g *group) *int32 { return &g.closing }

func (p *Planner) groupOf(name string) *group {
	g := p.groups[name]
	if g == nil {
		g = &group{planner: p, name: name, wasOpen: true}
		p.groups[name] = g
	}
	return g
}

// SetGroup changes the settings of a group. Running tasks go on.
func (p *Planner) SetGroup(name string, s Settings, now schema.Time) {
	p.now = now
	g := p.groupOf(name)
	if g.settings.Rate != s.Rate {
		g.starts, g.oldest = nil, 0
		if g.closing > 0 {
			p.closings.remove(g)
		}
	}
	g.settings, g.kept = s, s != Settings{}
	g.update()
	p.tidyGroup(g)
}

// Group is what a planner knows of a group.
type Group struct {
	Name     string
	Settings Settings
	Running  int
	Ready    int // tasks that wait only for their turn in the group, for slots and for resources
}

// Overview is what a planner knows of groups and resources.
type Overview struct {
	Paused    bool       // everything
	Groups    []Group    // sorted by name
	Resources []Resource // sorted by name
}

// Overview answers the state of all groups that have settings or tasks, and of all resources.
func (p *Planner) Overview() Overview {
	all := Overview{Paused: p.paused}
	for _, name := range slices.Sorted(maps.Keys(p.resources)) {
		if r := p.resources[name]; r.total > 0 || r.used > 0 {
			all.Resources = append(all.Resources, Resource{Name: name, Total: r.total, Used: r.used})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.groups)) {
		if name != "" {
			all.Groups = append(all.Groups, p.GroupOf(name))
		}
	}
	return all
}

// GroupOf answers the state of a group. It is the zero value for an unknown group.
func (p *Planner) GroupOf(name string) Group {
	g := p.groups[name]
	if g == nil {
		return Group{Name: name}
	}
	answer := Group{Name: name, Settings: g.settings, Running: g.running}
	for _, l := range g.lanes {
		answer.Ready += l.tasks.len()
	}
	return answer
}

// open reports whether a task of the group may begin.
func (g *group) open() bool {
	s := &g.settings
	return !s.Paused && (s.Limit == 0 || g.running < s.Limit) && g.closing == 0
}

// start notes that a task of the group begins.
func (g *group) start(now schema.Time) {
	g.running++
	if n := g.settings.Rate.Count; n > 0 {
		g.note(now, n)
	}
	g.update()
}

// note notes a start, and closes the group if its rate is used up.
func (g *group) note(now schema.Time, count int) {
	if len(g.starts) < count {
		g.starts = append(g.starts, now)
	} else {
		g.starts[g.oldest] = now
		g.oldest = (g.oldest + 1) % count
	}
	g.limitRate(now)
}

// limitRate closes the group if its rate is used up.
func (g *group) limitRate(now schema.Time) {
	if len(g.starts) < g.settings.Rate.Count {
		return
	}
	g.reopens = g.starts[g.oldest] + schema.Time(g.settings.Rate.Per.Microseconds())
	if g.reopens > now {
		g.planner.closings.push(g)
	}
}

// Began sets when tasks of a group began before this planner was made, the earliest first. The group must have
// a rate, and none of its tasks may have been added yet.
func (p *Planner) Began(name string, starts []schema.Time, now schema.Time) {
	g := p.groupOf(name)
	g.starts = slices.Clone(starts[max(0, len(starts)-g.settings.Rate.Count):])
	g.limitRate(now)
	g.update()
}

// end notes that a task of the group no longer runs.
func (g *group) end() {
	g.running--
	g.update()
}

// update updates the lanes after the group was opened or closed.
func (g *group) update() {
	if open := g.open(); open != g.wasOpen {
		g.wasOpen = open
		for _, l := range g.lanes {
			l.update()
		}
	}
}

func (p *Planner) tidyGroup(g *group) {
	if len(g.lanes) == 0 && !g.kept {
		if g.closing > 0 {
			p.closings.remove(g)
		}
		delete(p.groups, g.name)
	}
}
