package nats

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file drains processes: a drained process begins no more tasks. A drain is an entry of the log, so in
// every copy a claim after it gets nothing.

// Drain implements executor.Drainer. If several processes have the name, it drains all of them.
func (s *Store) Drain(ctx context.Context, p *schema.DrainParams) (schema.ExecutorInfo, error) {
	if err := s.waitForOwnWrites(ctx); err != nil {
		return schema.ExecutorInfo{}, err
	}
	named := s.machine.named(p.Executor)
	if len(named) == 0 {
		return schema.ExecutorInfo{}, executor.ErrUnknownExecutor
	}
	for _, id := range named {
		if _, err := s.do(ctx, change{Drain: &drain{Peer: id, Undo: p.Undo, End: p.End}}); err != nil {
			return schema.ExecutorInfo{}, err
		}
	}
	all, err := s.Executors(ctx)
	for i := range all {
		if all[i].Name == p.Executor || processOf(all[i].Host, all[i].PID) == p.Executor {
			return all[i], nil
		}
	}
	if err == nil {
		err = executor.ErrUnknownExecutor // it has left meanwhile
	}
	return schema.ExecutorInfo{}, err
}

// Draining implements executor.Drainer.
func (s *Store) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Dismissed implements executor.Drainer.
func (s *Store) Dismissed() <-chan struct{} { return s.dismissed }

// processOf is the name of a process without one of its own, as executor.ProcessName makes it.
func processOf(host string, pid int) string { return fmt.Sprintf("%s/%d", host, pid) }

// named answers the ids of the processes with that name that run tasks. If there is none, it answers those
// whose host and process number the name has.
func (m *machine) named(name string) []uuid.UUID {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var have, are []uuid.UUID
	for id, p := range m.peers {
		switch {
		case len(p.joined) == 0:
		case p.about.Name == name:
			have = append(have, id)
		case processOf(p.about.Host, p.about.PID) == name:
			are = append(are, id)
		}
	}
	if have != nil {
		return have
	}
	return are
}

// drain sets whether a process begins tasks. A process that was told to end cannot be undrained.
func (m *machine) drain(d *drain) error {
	p := m.peers[d.Peer]
	switch {
	case p == nil:
		return executor.ErrUnknownExecutor
	case d.Undo && p.about.Ending:
		return &executor.InputError{What: "params", Violations: []schema.Violation{{
			Pointer: "/undo", Message: fmt.Sprintf("%s was told to end, which cannot be undone; start a server in its place", p.about.Name),
		}}}
	}
	m.mu.Lock()
	p.about.Draining, p.about.Ending = !d.Undo, p.about.Ending || d.End
	m.mu.Unlock()
	m.turns.remove(p.id) // its claims get nothing, so it must not have a turn
	return nil
}

// drained notes that this process was drained, or undrained. The goroutine that applies the log calls it.
func (s *Store) drained(d *drain) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = !d.Undo
	if d.End && !s.ending {
		s.ending = true
		close(s.dismissed)
	}
	if s.draining {
		return
	}
	for len(s.waiting) > 0 { // while the process was drained, no task could wake them
		g := s.waiting[0]
		s.stopWaiting(g)
		s.enqueue(g.pending(false))
	}
}
