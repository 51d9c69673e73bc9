package outbox

import (
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// ended are the latest tasks that have ended in the outbox, for those who ask for them. The zero value is
// ready to use.
type ended struct {
	byID  map[uuid.UUID]executor.Record
	order []uuid.UUID // the oldest first
}

func (e *ended) add(r executor.Record) {
	if e.byID == nil {
		e.byID = map[uuid.UUID]executor.Record{}
	}
	if len(e.order) == endedTasks {
		delete(e.byID, e.order[0])
		e.order = e.order[1:]
	}
	e.byID[r.ID] = r
	e.order = append(e.order, r.ID)
}

func (e *ended) get(id uuid.UUID) (executor.Record, bool) {
	r, known := e.byID[id]
	return r, known
}
