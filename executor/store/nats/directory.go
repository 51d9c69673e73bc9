package nats

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file says which process runs which task.

// setRunner notes which process runs a task; nil is none.
func (m *machine) setRunner(task uuid.UUID, p *peer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p == nil {
		delete(m.runs, task)
	} else {
		m.runs[task] = p
	}
}

// noteHeard notes that a message of a process came. at is when the servers stored it.
func (m *machine) noteHeard(p *peer, at schema.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.latest, p.heard = at, time.Now()
}

// silence is how long nothing was heard from a process, or 0 while that is less than two of its beats. The
// caller holds mu.
func (p *peer) silence() time.Duration {
	if d := time.Since(p.heard); d > 2*time.Duration(p.about.Lease)/beatsPerLease {
		return d
	}
	return 0
}

// noteApplied notes that a process has applied an entry and all before it.
func (m *machine) noteApplied(p *peer, entry uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p.applied = max(p.applied, entry)
}

// Executors implements executor.Directory. It leaves out processes that run no tasks.
func (s *Store) Executors(context.Context) ([]schema.ExecutorInfo, error) {
	if err := s.isClosed(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	running := map[*peer]int{}
	for _, p := range m.runs {
		running[p]++
	}
	all := []schema.ExecutorInfo{}
	for _, p := range m.peers {
		if len(p.joined) == 0 {
			continue
		}
		all = append(all, schema.ExecutorInfo{
			Name: p.about.Name, Host: p.about.Host, PID: p.about.PID, Self: p.id == self, Limit: p.about.Slots, Types: p.types(), Labels: p.labels(),
			Running: running[p], Draining: p.about.Draining, Ending: p.about.Ending, Since: p.since, BeatAt: p.latest, SilentMs: p.silence().Milliseconds(),
		})
	}
	slices.SortFunc(all, func(a, b schema.ExecutorInfo) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Since, b.Since))
	})
	return all, nil
}

// labels are the labels of the process: all of its claimers have the same.
func (p *peer) labels() map[string]string {
	for _, j := range p.joined {
		return j.Labels
	}
	return nil
}

// types are the task types that the process takes; nil means every type.
func (p *peer) types() []string {
	all := map[string]bool{}
	for _, j := range p.joined {
		if j.Every {
			return nil
		}
		for _, name := range j.Types {
			all[name] = true
		}
	}
	return slices.AppendSeq([]string{}, slices.Values(slices.Sorted(maps.Keys(all))))
}
