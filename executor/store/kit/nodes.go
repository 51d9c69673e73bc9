package kit

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
)

// Nodes has the planner's nodes of tasks that other tasks come after, for a store that does not hold all
// records in memory. The store's lock protects it. The zero value is ready.
type Nodes struct{ nodes map[uuid.UUID]*plan.Node }

// Of is the node of a task that is not final. It makes one if there is none.
func (n *Nodes) Of(id uuid.UUID) *plan.Node {
	node := n.nodes[id]
	if node == nil {
		if n.nodes == nil {
			n.nodes = map[uuid.UUID]*plan.Node{}
		}
		node = &plan.Node{ID: id}
		n.nodes[id] = node
	}
	return node
}

// Get is the node of a task, or nil.
func (n *Nodes) Get(id uuid.UUID) *plan.Node { return n.nodes[id] }

// End takes out the node of a task that became final, and answers it, or nil.
func (n *Nodes) End(id uuid.UUID) *plan.Node {
	node := n.nodes[id]
	delete(n.nodes, id)
	return node
}
