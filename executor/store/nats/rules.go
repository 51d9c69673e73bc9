package nats

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file keeps processes from sharing a namespace if they would make different copies of its log.

// rulesVersion is the version of the rules by which a copy applies the log. Raise it with each change by which
// a copy would make something else of an entry than before: in this package, in package memory, in the planner,
// and in the checks of what drivers write. Raise it, too, if the version before could not read an entry or a
// snapshot of this one, or would skip a part of it.
const rulesVersion = 3

// rulesError says that this process has other rules than the processes of the namespace.
type rulesError struct {
	namespace   string
	mine, there int
	by          *hello // an executor with the other rules, or nil
}

func (e *rulesError) Error() string {
	by := "its executors had"
	if e.by != nil {
		by = fmt.Sprintf("%s at %s has", e.by.Name, e.by.Host)
	}
	return fmt.Sprintf("this server has version %d of the rules of a queue, and in the namespace %s %s version %d: end all servers of the namespace, and start them with one version of jobline, executors first", e.mine, e.namespace, by, e.there)
}

// rulesError makes the error for this process. It names the first executor that has other rules.
func (s *Store) rulesError() error {
	e := &rulesError{namespace: s.options.Address.Namespace, mine: s.rules, there: s.machine.rules}
	if all := s.machine.peersWithOtherRules(s.rules, RoleExecutor); len(all) > 0 {
		e.by, e.there = &all[0].about, all[0].about.Rules
	}
	return e
}

// peersWithOtherRules are the processes of a role with other rules, in the order in which they joined.
func (m *machine) peersWithOtherRules(rules int, r Role) (all []*peer) {
	for _, p := range m.peers {
		if p.about.Role == r && p.about.Rules != rules {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *peer) int { return cmp.Or(cmp.Compare(a.since, b.since), compareIDs(a.id, b.id)) })
	return all
}

// applyHelloRules reports whether the sender of a hello may join: all processes must have the same rules. It
// first fences what the hello of an executor names. An executor that may join sets the rules, and takes out
// drivers with others. Every version of jobline must compute this alike.
func (m *machine) applyHelloRules(about *hello) bool {
	if about.Role == RoleExecutor {
		for _, f := range about.Over {
			if p := m.peers[f.Peer]; p != nil && p.last == f.Last && p.about.Rules != about.Rules {
				m.remove(p)
			}
		}
	}
	switch {
	case len(m.peersWithOtherRules(about.Rules, RoleExecutor)) > 0:
		return false
	case about.Role != RoleExecutor:
		m.rules = cmp.Or(m.rules, about.Rules)
		return m.rules == about.Rules
	}
	m.rules = about.Rules
	for _, p := range m.peersWithOtherRules(about.Rules, RoleDriver) {
		m.remove(p)
	}
	return true
}

// admitPeer makes a peer of the sender of a hello, or answers nil if its rules do not fit. The error says that
// this process must end.
func (s *Store) admitPeer(id uuid.UUID, about hello, e entry) (*peer, error) {
	m := s.machine
	wasThere := m.peers[s.self] != nil
	admitted := m.applyHelloRules(&about)
	isOut := wasThere && m.peers[s.self] == nil || s.options.Role == RoleViewer && e.sequence > s.backlog && m.rules != s.rules
	var p *peer
	if about.Over = nil; admitted {
		if about.Role != RoleExecutor {
			s.rejoinIfRemoved(m.makeRoomForDriver(), "there are too many drivers")
		}
		p = m.meet(id, about, e.at)
	}
	switch {
	case isOut:
		return nil, s.rulesError()
	case id != s.self:
	case admitted:
		s.setRefusedSince(time.Time{})
	default:
		return nil, s.handleRefusal(e.at)
	}
	return p, nil
}

// handleRefusal decides what this process does after its own hello was refused. It ends if an executor with
// other rules lives. If all of them have been silent for their leases, it joins again with a hello that fences
// them.
func (s *Store) handleRefusal(at schema.Time) error {
	s.noteContact(at)
	others := s.machine.peersWithOtherRules(s.rules, RoleExecutor)
	s.mu.Lock()
	since := s.refusedSince
	s.mu.Unlock()
	if since.IsZero() {
		since = time.Now()
		s.setRefusedSince(since)
		if s.options.Role == RoleExecutor && len(others) > 0 {
			s.log.Warn("executors of the namespace have other rules; this one waits to see if one of them is alive", "process", others[0].about.Name, "host", others[0].about.Host, "rules", others[0].about.Rules, "own", s.rules)
		}
	}
	var silent []fence
	for _, p := range others {
		switch {
		case p.heard.After(since):
			return s.rulesError()
		case s.isSilent(p):
			silent = append(silent, fence{p.id, p.last})
		}
	}
	switch {
	case s.options.Role != RoleExecutor:
		return s.rulesError()
	case len(silent) == len(others):
		s.mu.Lock()
		s.helloFences = silent
		s.mu.Unlock()
		s.rejoin()
	}
	return nil
}

func (s *Store) setRefusedSince(since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusedSince = since
	s.helloFences = nil
}

// waitUntilJoined waits until the hello of this process was applied.
func (s *Store) waitUntilJoined(ctx context.Context) error {
	late := time.NewTicker(openTimeout)
	defer late.Stop()
	for {
		select {
		case <-s.opened:
			return nil
		case err := <-s.failed:
			return err
		case <-s.denied.firstRefusal:
			return s.denied.err()
		case <-ctx.Done():
			return s.noAnswer()
		case <-late.C:
			if !s.isRefused() { // while refused, handleRefusal decides within a lease
				return s.noAnswer()
			}
		}
	}
}

func (s *Store) isRefused() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.refusedSince.IsZero()
}

// checkViewerRules says why a viewer, which sends no hello, cannot make the same copy of the log as the
// executors, or nil.
func (s *Store) checkViewerRules() error {
	s.applying.Lock()
	defer s.applying.Unlock()
	if len(s.machine.peersWithOtherRules(s.rules, RoleExecutor)) > 0 || s.machine.rules != 0 && s.machine.rules != s.rules {
		return s.rulesError()
	}
	return nil
}
