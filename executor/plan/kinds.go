package plan

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Taker is what a claimer takes.
type Taker struct {
	// Types reports whether it takes tasks of a type.
	Types func(name string) bool
	// Labels are what it has of the labels that tasks ask for.
	Labels map[string]string
}

func (w Taker) takes(k *kind) bool {
	for _, l := range k.on {
		if value, has := w.Labels[l.name]; !has || value != l.value {
			return false
		}
	}
	return w.Types(k.name.typ)
}

// label is a label that a task requires of its executor.
type label struct{ name, value string }

// kindName identifies a kind: the type of its tasks, and a text of the labels that they require.
type kindName struct{ typ, on string }

// kind has the tasks that the same takers take.
type kind struct {
	name    kindName
	on      []label             // sorted by name
	waiting int                 // how many tasks wait
	made    int                 // how many lanes there are
	lanes   heap[*lane, byHead] // lanes whose first task may run if its needs are met
	place   int                 // index in its slice of Planner.shown, while lanes is not empty
}

// kindOf is that of a task.
func (p *Planner) kindOf(t *Task) *kind {
	on := labelsOf(t.Conditions.On)
	name := kindName{t.Type, textOfLabels(on)}
	k := p.kinds[name]
	if k == nil {
		k = &kind{name: name, on: on}
		p.kinds[name] = k
	}
	return k
}

// labelsOf sorts labels by name.
func labelsOf(on map[string]string) (all []label) {
	if len(on) == 0 {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(on)) {
		all = append(all, label{name, on[name]})
	}
	return all
}

// textOfLabels is a text that is equal for equal labels only.
func textOfLabels(on []label) string {
	if len(on) == 0 {
		return ""
	}
	var b strings.Builder
	for _, l := range on {
		b.WriteString(strconv.Quote(l.name))
		b.WriteString(strconv.Quote(l.value))
	}
	return b.String()
}

// tidyKind drops a kind without tasks.
func (p *Planner) tidyKind(k *kind) {
	if k.waiting == 0 && k.made == 0 {
		delete(p.kinds, k.name)
	}
}

// sought is the label by which takers find the kind: the first one that it requires.
func (k *kind) sought() label {
	if len(k.on) == 0 {
		return label{}
	}
	return k.on[0]
}

// display puts a kind where takers find it.
func (p *Planner) display(k *kind) {
	all := p.shown[k.sought()]
	k.place = len(all)
	p.shown[k.sought()] = append(all, k)
}

// conceal takes a kind away from where takers find it.
func (p *Planner) conceal(k *kind) {
	all := p.shown[k.sought()]
	last := len(all) - 1
	all[k.place], all[last].place = all[last], k.place
	all[last] = nil
	if last == 0 && len(k.on) > 0 { // clients may use ever new labels, so empty entries must not pile up
		delete(p.shown, k.sought())
	} else {
		p.shown[k.sought()] = all[:last]
	}
}

// best is the lane whose first task is to run next, if its needs are met. It looks only at kinds whose labels
// the taker has, however many labels other tasks require.
func (p *Planner) best(w Taker) *lane {
	best := bestOf(p.shown[label{}], w, nil)
	for name, value := range w.Labels {
		best = bestOf(p.shown[label{name, value}], w, best)
	}
	return best
}

// bestOf is the better of a lane, which may be nil, and the best lane of some kinds.
func bestOf(kinds []*kind, w Taker, best *lane) *lane {
	for _, k := range kinds {
		if l := k.lanes.first(); (best == nil || before(l.head(), best.head())) && w.takes(k) {
			best = l
		}
	}
	return best
}

// Untaken is how many waiting tasks the taker does not take.
func (p *Planner) Untaken(w Taker) (n int) {
	for _, k := range p.kinds {
		if k.waiting > 0 && !w.takes(k) {
			n += k.waiting
		}
	}
	return n
}
