package executor

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// MaxGroups is how many groups have settings at most.
const MaxGroups = 10_000

// Groups answers a page of the groups, sorted by name, with the resources, and whether
// everything is paused. The cursor is that of the page before, or "".
func (e *Executor) Groups(ctx context.Context, cursor string, limit int) (schema.GroupsResult, error) {
	all, err := e.store.Groups(ctx)
	if err != nil {
		return schema.GroupsResult{}, err
	}
	page := schema.GroupsResult{Paused: all.Paused, Groups: []schema.Group{}, Resources: []schema.Resource{}}
	for _, r := range all.Resources {
		page.Resources = append(page.Resources, schema.Resource(r))
	}
	begin, found := slices.BinarySearchFunc(all.Groups, cursor, byName)
	if found {
		begin++
	}
	end := min(begin+limit, len(all.Groups))
	for _, g := range all.Groups[begin:end] {
		page.Groups = append(page.Groups, ShownGroup(g))
	}
	if end < len(all.Groups) {
		page.NextCursor = all.Groups[end-1].Name
	}
	return page, nil
}

func byName(g plan.Group, name string) int { return strings.Compare(g.Name, name) }

// ShownGroup is a group of a store as it is shown.
func ShownGroup(g plan.Group) schema.Group {
	shown := schema.Group{Name: g.Name, Limit: g.Settings.Limit, Paused: g.Settings.Paused, Running: g.Running, Ready: g.Ready}
	if r := g.Settings.Rate; r.Count > 0 {
		shown.Rate = &schema.Rate{Count: r.Count, PerMs: r.Per.Milliseconds()}
	}
	if d, err := defaultsOf(g.Settings); err == nil { // what cannot be read gives its tasks nothing
		shown.Defaults = d
	}
	return shown
}

// SetGroup changes the settings of a group that are given, and answers the group.
func (e *Executor) SetGroup(ctx context.Context, p *schema.SetGroupParams) (schema.Group, error) {
	if err := e.checkGroup(p); err != nil {
		return schema.Group{}, err
	}
	e.regrouping.Lock() // so that no change of another setting is lost between the two calls of the store
	defer e.regrouping.Unlock()
	g, others, err := e.group(ctx, p.Name)
	if err != nil {
		return schema.Group{}, err
	}
	s := g.Settings
	if p.Limit != nil {
		s.Limit = *p.Limit
	}
	if p.Paused != nil {
		s.Paused = *p.Paused
	}
	if r := p.Rate; r != nil {
		if s.Rate = (plan.Rate{}); r.Count > 0 {
			s.Rate = plan.Rate{Count: r.Count, Per: time.Duration(r.PerMs) * time.Millisecond}
		}
	}
	if p.Defaults != nil {
		if s.Defaults, err = defaultsText(p.Defaults); err != nil {
			return schema.Group{}, err
		}
	}
	if s == g.Settings {
		return ShownGroup(g), nil
	}
	if others >= MaxGroups && s != (plan.Settings{}) {
		return schema.Group{}, &TooLargeError{
			What: "the number of groups that have settings", Size: int64(others) + 1, Limit: MaxGroups,
			Cure: "take back the settings of another: a limit of 0, a rate of 0, no pause and no defaults",
		}
	}
	if err := e.store.SetGroup(ctx, p.Name, s); err != nil {
		return schema.Group{}, err
	}
	if d, err := defaultsOf(s); err == nil && s.Defaults != g.Settings.Defaults {
		e.keepDefaults(p.Name, d)
	}
	g, _, err = e.group(ctx, p.Name)
	return ShownGroup(g), err
}

// group is a group of the store, or one without settings and tasks. others is how many other
// groups have settings.
func (e *Executor) group(ctx context.Context, name string) (g plan.Group, others int, err error) {
	g.Name = name
	all, err := e.store.Groups(ctx)
	for i := range all.Groups {
		switch o := &all.Groups[i]; {
		case o.Name == name:
			g = *o
		case o.Settings != plan.Settings{}:
			others++
		}
	}
	return g, others, err
}

func (e *Executor) checkGroup(p *schema.SetGroupParams) error {
	var found violations
	found.name("name", p.Name)
	if p.Name == "" {
		found.add("name", "it is empty; name a group")
	}
	if p.Limit != nil && *p.Limit < 0 {
		found.add("limit", "%d is less than 0", *p.Limit)
	}
	if r := p.Rate; r != nil {
		switch {
		case r.Count < 0 || r.Count > plan.MaxRateCount:
			found.add("rate/count", "%d is not within 0..%d", r.Count, plan.MaxRateCount)
		case r.Count > 0 && (r.PerMs < 1 || r.PerMs > MaxMs):
			found.add("rate/perMs", "%d is not within 1..%d", r.PerMs, MaxMs)
		}
	}
	if found != nil {
		return &InputError{Violations: found}
	}
	if p.Defaults != nil {
		return e.checkDefaults(p.Defaults)
	}
	return nil
}

// Pause lets no task begin, or none of a group, until it is called with false. Tasks that
// run go on. The group "" is all tasks.
func (e *Executor) Pause(ctx context.Context, group string, paused bool) error {
	if group == "" {
		return e.store.Pause(ctx, paused)
	}
	_, err := e.SetGroup(ctx, &schema.SetGroupParams{Name: group, Paused: &paused})
	return err
}
