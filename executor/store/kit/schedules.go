package kit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/jobline/jobline/executor"
)

// Schedules are the schedules of a store in memory. It needs the store's lock. The zero value has
// none.
type Schedules struct {
	sorted []executor.ScheduleText // by name; a change makes a new slice
}

// Set sets the text of a schedule, of which it makes a copy; nil removes it.
func (s *Schedules) Set(name string, text []byte) {
	at, found := s.find(name)
	changed := slices.Clone(s.sorted)
	switch {
	case text == nil && found:
		changed = slices.Delete(changed, at, at+1)
	case text == nil:
	case found:
		changed[at].Text = bytes.Clone(text)
	default:
		changed = slices.Insert(changed, at, executor.ScheduleText{Name: name, Text: bytes.Clone(text)})
	}
	s.sorted = changed
}

// Text is the text of a schedule, or nil.
func (s *Schedules) Text(name string) []byte {
	if at, found := s.find(name); found {
		return s.sorted[at].Text
	}
	return nil
}

// All are all schedules, sorted by name. The slice must not be changed, and stays as it is.
func (s *Schedules) All() []executor.ScheduleText { return s.sorted }

func (s *Schedules) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(s.sorted, name, func(a executor.ScheduleText, name string) int { return strings.Compare(a.Name, name) })
}
