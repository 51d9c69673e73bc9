package nats

import "github.com/google/uuid"

// This file remembers the processes that were peers and are no more. A late copy of the hello of one must not
// make it a peer again.

// helloSpan is for how many entries, after the latest one that its writer had applied, a hello has an effect.
// So a former peer needs to be remembered for no more entries than that.
const helloSpan = 1 << 18

// formerPeers are the processes that were peers, for as long as a copy of their hello could have an effect.
type formerPeers struct {
	at    map[uuid.UUID]uint64 // the entry by which each was taken out
	order []uuid.UUID          // in the order in which they were taken out
}

func (g *formerPeers) has(id uuid.UUID) bool {
	_, has := g.at[id]
	return has
}

// add adds a process that an entry has taken out, and forgets those whose hello has no effect any more.
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

// isCurrent reports whether a hello in this entry has an effect.
func (h *hello) isCurrent(entry uint64) bool {
	return h.Next == 0 || h.Next <= entry && entry-h.Next < helloSpan
}
