package kit

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
)

// Nodes has the nodes of the tasks that others come after, for a store whose records are not all in
// memory. The zero value is ready. It needs the store's lock.
type Nodes struct{ nodes map[uuid.UUID]*plan.Node }

// Of is the node of a task that has not ended. It is made where there is none yet.
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

// End takes out the node of a task that has ended, and answers it, or nil.
func (n *Nodes) End(id uuid.UUID) *plan.Node {
	node := n.nodes[id]
	delete(n.nodes, id)
	return node
}
