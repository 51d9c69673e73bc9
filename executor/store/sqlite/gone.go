package sqlite

import (
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
)

// trimStep is how many more ids are forgotten than are added, at each that is
// added, where the limit has become lower.
const trimStep = 64

// goneIDs are the rows of the table gone: from first to last. Last is 0 for none.
type goneIDs struct{ first, last int64 }

func readGone(c *conn) (g goneIDs, err error) {
	if g.first, err = c.number("SELECT min(n) FROM gone"); err == nil {
		g.last, err = c.number("SELECT max(n) FROM gone")
	}
	return g, err
}

// forgotten reports whether an id is of a task that is no longer kept.
func (t *transaction) forgotten(id uuid.UUID) (found bool, err error) {
	if t.state.gone.last == 0 || t.store.options.KeepIDs < 0 {
		return false, nil
	}
	err = t.conn.query("SELECT 1 FROM gone WHERE id=?", func(*sqlite3.Stmt) error { found = true; return nil }, id[:])
	return found, err
}

// forget notes the id of a task that is removed, and drops the oldest where they
// are too many.
func (t *transaction) forget(id uuid.UUID) error {
	limit := int64(t.store.options.KeepIDs)
	if limit < 0 {
		return nil
	}
	g := &t.state.gone
	g.last++
	t.d = goneDigest(t.d[:0], g.last, id[:])
	if err := t.conn.exec("INSERT OR REPLACE INTO gone VALUES(?,?,?)", g.last, id[:], t.d.sum()); err != nil {
		return err
	}
	if g.last-g.first < limit {
		return nil
	}
	g.first = min(g.last-limit+1, g.first+trimStep)
	return t.conn.exec("DELETE FROM gone WHERE n<?", g.first)
}

func goneDigest(d digest, n int64, id []byte) digest { return d.number(n).bytes(id) }

// gone looks at the ids that are remembered.
func (k *checker) gone() error {
	if k.version < 2 { // it has no such table
		return nil
	}
	return k.conn.query("SELECT n, id, sum FROM gone", func(row *sqlite3.Stmt) error {
		if n := row.ColumnInt64(0); goneDigest(nil, n, row.ColumnRawBlob(1)).sum() != row.ColumnInt64(2) {
			k.found(0, "the checksum of row %d in the table gone is wrong: a task that is no longer kept could run again", n)
		}
		return nil
	})
}
