package kit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/jobline/jobline/executor"
)

// Schedules are the schedules of a store, in memory. The store's lock protects it. The zero value has none.
type Schedules struct {
	sorted []executor.ScheduleText // by name; a change makes a new slice
}

// Set sets the texts of schedules, and copies them. A nil text removes a schedule.
func (s *Schedules) Set(changed []executor.ScheduleText) {
	s.sorted = slices.Clone(s.sorted)
	for _, c := range changed {
		at, found := s.find(c.Name)
		switch {
		case c.Text == nil && found:
			s.sorted = slices.Delete(s.sorted, at, at+1)
		case c.Text == nil:
		case found:
			s.sorted[at].Text = bytes.Clone(c.Text)
		default:
			s.sorted = slices.Insert(s.sorted, at, executor.ScheduleText{Name: c.Name, Text: bytes.Clone(c.Text)})
		}
	}
}

// Text is the text of a schedule, or nil.
func (s *Schedules) Text(name string) []byte {
	if at, found := s.find(name); found {
		return s.sorted[at].Text
	}
	return nil
}

// All are all schedules, sorted by name. The slice must not be changed; later calls of Set do not change it.
func (s *Schedules) All() []executor.ScheduleText { return s.sorted }

func (s *Schedules) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(s.sorted, name, func(a executor.ScheduleText, name string) int { return strings.Compare(a.Name, name) })
}
