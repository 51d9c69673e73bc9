package plan

import (
	"maps"
	"slices"
	"time"

	"github.com/jobline/jobline/schema"
)

// MaxRateCount is the highest Rate.Count.
const MaxRateCount = 10_000

// Settings are those of a group. The zero value is no limit.
type Settings struct {
	// Limit is how many of its tasks run at once; 0 is no limit.
	Limit int
	// Paused lets none of its tasks begin.
	Paused bool
	Rate   Rate
	// Defaults are what the group gives its tasks, as a text of the executor. The planner does
	// nothing with it.
	Defaults string
}

// Rate is how many tasks may begin within any time of a length. A Count of 0 is no limit.
type Rate struct {
	Count int
	Per   time.Duration
}

// group has the lanes of the tasks that name it. The tasks that name none are a group
// without settings.
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

// SetGroup changes the settings of a group. Tasks that run go on.
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
	Ready    int // tasks that wait for nothing else than their turn in the group, slots and resources
}

// Overview is what a planner knows of groups and resources.
type Overview struct {
	Paused    bool       // everything
	Groups    []Group    // sorted by name
	Resources []Resource // sorted by name
}

// Overview answers what is known of all groups that have settings or tasks, and of all
// resources that there are.
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

// GroupOf answers what is known of a group. It is the zero value where nothing is.
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

// note notes a start, and closes the group where there were as many as there may be.
func (g *group) note(now schema.Time, count int) {
	if len(g.starts) < count {
		g.starts = append(g.starts, now)
	} else {
		g.starts[g.oldest] = now
		g.oldest = (g.oldest + 1) % count
	}
	g.limitRate(now)
}

// limitRate closes the group where as many tasks have begun as may.
func (g *group) limitRate(now schema.Time) {
	if len(g.starts) < g.settings.Rate.Count {
		return
	}
	g.reopens = g.starts[g.oldest] + schema.Time(g.settings.Rate.Per.Microseconds())
	if g.reopens > now {
		g.planner.closings.push(g)
	}
}

// Began says when tasks of a group began before there was this planner, the earliest first. It
// is for a group that has a rate, and whose tasks have not been added yet.
func (p *Planner) Began(name string, starts []schema.Time, now schema.Time) {
	g := p.groupOf(name)
	g.starts = slices.Clone(starts[max(0, len(starts)-g.settings.Rate.Count):])
	g.limitRate(now)
	g.update()
}

// end notes that a task of the group runs no longer.
func (g *group) end() {
	g.running--
	g.update()
}

// update looks again at the lanes where the group has opened or closed.
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
