package nats

import "github.com/google/uuid"

// This file remembers the processes that were peers. A copy of the first message of one may come late, and must not make
// it a peer again.

// helloSpan is how many entries after the one that its process had read a first message counts. So a process needs to be
// remembered for no more entries than that.
const helloSpan = 1 << 18

// formerPeers are the processes that were peers, as far as a copy of their first message may come.
type formerPeers struct {
	at    map[uuid.UUID]uint64 // the entry by which each has gone
	order []uuid.UUID          // the first that has gone first
}

func (g *formerPeers) has(id uuid.UUID) bool {
	_, has := g.at[id]
	return has
}

// add adds a process that an entry has taken out, and forgets those whose first messages count no more.
func (g *formerPeers) add(id uuid.UUID, entry uint64) {
	if g.at == nil {
		g.at = map[uuid.UUID]uint64{}
	}
	g.at[id] = entry
	g.order = append(g.order, id)
	forgotten := 0
	for g.at[g.order[forgotten]]+helloSpan <= entry {
		delete(g.at, g.order[forgotten])
		forgotten++
	}
	g.order = g.order[forgotten:]
}

// isCurrent reports whether a first message counts that is in an entry.
func (h *hello) isCurrent(entry uint64) bool {
	return h.Next == 0 || h.Next <= entry && entry-h.Next < helloSpan
}
