package sqlite

import (
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// trimStep is the most ids that are dropped for each id that is added. More than one
// is dropped only after the limit was lowered.
const trimStep = 64

// forgotten reports whether an id is of a task that is no longer kept.
func (t *transaction) forgotten(id uuid.UUID) (found bool, err error) {
	if t.state.Forgotten.Last == 0 || t.store.options.KeepIDs < 0 {
		return false, nil
	}
	err = t.conn.Query("SELECT 1 FROM gone WHERE id=?", func(*sqlite3.Stmt) error { found = true; return nil }, id[:])
	return found, err
}

// forget records the id of a removed task, and drops the oldest ids if there are
// too many.
func (t *transaction) forget(id uuid.UUID) error {
	limit := int64(t.store.options.KeepIDs)
	if limit < 0 {
		return nil
	}
	g := &t.state.Forgotten
	g.Last++
	t.d = file.ForgottenDigest(t.d[:0], g.Last, id[:])
	if err := t.conn.Run("INSERT OR REPLACE INTO gone VALUES(?,?,?)", g.Last, id[:], t.d.Sum()); err != nil {
		return err
	}
	if g.Last-g.First < limit {
		return nil
	}
	g.First = min(g.Last-limit+1, g.First+trimStep)
	return t.conn.Run("DELETE FROM gone WHERE n<?", g.First)
}
