package file

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
)

// A row of the table store has a bit for each of so many tasks.
const (
	openShift = 10
	openSize  = 1 << openShift
	openBytes = openSize / 8
	// openRow is the key of the row that has task number 0.
	openRow = 2
)

// OpenSpan says which of openSize tasks, from number openSize*n on, are not final, and which
// of those have a row in the table active.
type OpenSpan struct {
	n       int64
	open    [openBytes]byte
	started [openBytes]byte
}

// bit is where the bit of a task is within its span.
func bit(ord int64) (at int, mask byte) { return int(ord & (openSize - 1) / 8), 1 << (ord & 7) }

// Has reports whether the task number ord, which must be of the span, is not final.
func (s *OpenSpan) Has(ord int64) bool {
	at, mask := bit(ord)
	return s.open[at]&mask != 0
}

// Started reports whether the task has a row in the table active.
func (s *OpenSpan) Started(ord int64) bool {
	at, mask := bit(ord)
	return s.started[at]&mask != 0
}

// Holds reports whether the span is of the task number ord.
func (s *OpenSpan) Holds(ord int64) bool { return ord>>openShift == s.n }

// Each calls f with the number of each task that is not final, in order, until it returns an error.
func (s *OpenSpan) Each(f func(ord int64) error) error {
	for i := range int64(openSize) {
		if s.Has(i) {
			if err := f(s.n*openSize + i); err != nil {
				return err
			}
		}
	}
	return nil
}

// count is how many tasks are not final.
func (s *OpenSpan) count() (n int64) {
	for _, b := range s.open {
		n += int64(bits.OnesCount8(b))
	}
	return n
}

func (s *OpenSpan) empty() bool { return s.open == [openBytes]byte{} && s.started == [openBytes]byte{} }

// appendBits appends what the file has of the span.
func (s *OpenSpan) appendBits(b []byte) []byte {
	b = append(b, s.open[:]...)
	if s.started != [openBytes]byte{} {
		b = append(b, s.started[:]...)
	}
	return b
}

func openDigest(d Digest, n int64, bits []byte) Digest { return d.number(n).bytes(bits) }

// Open says which tasks are not final. The committer changes it; the store's lock
// protects it.
type Open struct{ spans []*OpenSpan } // by n, none of them empty

func (o *Open) search(n int64) (int, bool) {
	return slices.BinarySearchFunc(o.spans, n, func(s *OpenSpan, n int64) int { return cmp.Compare(s.n, n) })
}

func (o *Open) put(s *OpenSpan) {
	switch i, found := o.search(s.n); {
	case found && s.empty():
		o.spans = slices.Delete(o.spans, i, i+1)
	case found:
		o.spans[i] = s
	case !s.empty():
		o.spans = slices.Insert(o.spans, i, s)
	}
}

// Count is how many tasks are not final.
func (o *Open) Count() (n int64) {
	for _, s := range o.spans {
		n += s.count()
	}
	return n
}

// Has reports whether a task is not final.
func (o *Open) Has(ord int64) bool {
	i, found := o.search(ord >> openShift)
	return found && o.spans[i].Has(ord)
}

// Started reports whether a task has a row in the table active.
func (o *Open) Started(ord int64) bool {
	i, found := o.search(ord >> openShift)
	return found && o.spans[i].Started(ord)
}

// rangeShare says when all of a span is read: at least one in rangeShare of its tasks is not final.
const rangeShare = 16

// EachRange calls f with the first and last numbers of ranges that have all tasks that are not
// final, in order, until it returns an error. Nearly all of them are those, or a fair share.
func (o *Open) EachRange(f func(first, last int64) error) error {
	for _, s := range o.spans {
		if n := s.count(); n <= openSize/rangeShare {
			if err := s.Each(func(ord int64) error { return f(ord, ord) }); err != nil {
				return err
			}
			continue
		}
		if err := f(s.n*openSize, s.n*openSize+openSize-1); err != nil {
			return err
		}
	}
	return nil
}

// Between returns the numbers of the first most tasks that are not final, from first to last,
// or of the last ones, in falling order.
func (o *Open) Between(first, last int64, newest bool, most int) (ords []int64) {
	from, _ := o.search(first >> openShift)
	end, _ := o.search(last>>openShift + 1)
	spans := o.spans[from:max(from, end)]
	for i := 0; i < len(spans) && len(ords) < most; i++ {
		s := spans[i]
		if newest {
			s = spans[len(spans)-1-i]
		}
		for k := range int64(openSize) {
			if newest {
				k = openSize - 1 - k
			}
			if ord := s.n*openSize + k; s.Has(k) && ord >= first && ord <= last && len(ords) < most {
				ords = append(ords, ord)
			}
		}
	}
	return ords
}

// OpenChanges are those of a transaction.
type OpenChanges struct {
	of      *Open
	changed map[int64]*OpenSpan
}

// Change begins changes.
func (o *Open) Change() OpenChanges { return OpenChanges{of: o, changed: map[int64]*OpenSpan{}} }

func (c *OpenChanges) span(ord int64) *OpenSpan {
	n := ord >> openShift
	s := c.changed[n]
	if s == nil {
		s = &OpenSpan{n: n}
		if i, found := c.of.search(n); found {
			*s = *c.of.spans[i]
		}
		c.changed[n] = s
	}
	return s
}

// Add notes that a task is not final.
func (c *OpenChanges) Add(ord int64) {
	at, mask := bit(ord)
	c.span(ord).open[at] |= mask
}

// Remove notes that a task is final, or is no more.
func (c *OpenChanges) Remove(ord int64) {
	at, mask := bit(ord)
	c.span(ord).open[at] &^= mask
}

// Started reports whether a task has a row in the table active.
func (c *OpenChanges) Started(ord int64) bool { return c.span(ord).Started(ord) }

// SetStarted notes whether a task has a row in the table active.
func (c *OpenChanges) SetStarted(ord int64, started bool) {
	at, mask := bit(ord)
	s := c.span(ord)
	s.started[at] &^= mask
	if started {
		s.started[at] |= mask
	}
}

const writeOpen = "INSERT OR REPLACE INTO store(" + stateColumns + ", open) VALUES(?,0,0,0,0,0,0,0,0,0,0,?,?)"

// Write records the changes.
func (c *OpenChanges) Write(conn *Conn) error {
	for _, s := range c.changed {
		var err error
		if s.empty() {
			err = conn.Run("DELETE FROM store WHERE one=?", openRow+s.n)
		} else {
			bits := s.appendBits(nil)
			conn.digest = openDigest(conn.digest[:0], s.n, bits)
			err = conn.Run(writeOpen, openRow+s.n, conn.digest.Sum(), bits)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Apply makes the changes visible when they are recorded. It needs the lock that protects
// the Open.
func (c *OpenChanges) Apply() {
	for _, s := range c.changed {
		c.of.put(s)
	}
	clear(c.changed)
}

// EachOpenSpan reads which tasks are not final, from a file of version 3 or later. If a row is
// damaged, f gets an error that says so, and must not use the span.
func EachOpenSpan(c *Conn, f func(*OpenSpan, error) error) error {
	return c.Query("SELECT one, open, sum FROM store WHERE one>=? ORDER BY one", func(row *sqlite3.Stmt) error {
		return f(readOpenSpan(row))
	}, int64(openRow))
}

// ReadOpenSpan reads the span of a task. It returns also why that is not what was written.
func ReadOpenSpan(c *Conn, ord int64) (s *OpenSpan, damage, err error) {
	s = &OpenSpan{n: ord >> openShift}
	err = c.Query("SELECT one, open, sum FROM store WHERE one=?", func(row *sqlite3.Stmt) error {
		s, damage = readOpenSpan(row)
		return nil
	}, openRow+s.n)
	return s, damage, err
}

// readOpenSpan reads one, open and sum.
func readOpenSpan(row *sqlite3.Stmt) (*OpenSpan, error) {
	s := &OpenSpan{n: row.ColumnInt64(0) - openRow}
	bits := row.ColumnRawBlob(1)
	whole := len(bits) == openBytes || len(bits) == 2*openBytes
	if !whole || openDigest(nil, s.n, bits).Sum() != row.ColumnInt64(2) {
		return s, fmt.Errorf("%w: the checksum of the row of tasks number %d to %d in the table store is wrong; jobline store check tells more",
			executor.ErrDamaged, s.n*openSize, s.n*openSize+openSize-1)
	}
	copy(s.started[:], bits[copy(s.open[:], bits):])
	return s, nil
}

// ReadOpen reads which tasks are not final. It reports a damaged row to report, and then gets
// the same facts from the tables of tasks and of their ends. The caller compares Count with the
// number in the State.
func ReadOpen(c *Conn, report func(error)) (*Open, error) {
	o := new(Open)
	err := EachOpenSpan(c, func(s *OpenSpan, err error) error {
		if err != nil {
			report(err)
			if s, err = readUnended(c, s.n); err != nil {
				return err
			}
		}
		o.put(s)
		return nil
	})
	return o, err
}

// readUnended finds out which tasks of a span have no end, and which have a row in active.
func readUnended(c *Conn, n int64) (*OpenSpan, error) {
	const sql = "SELECT task.ord, active.ord IS NOT NULL FROM task LEFT JOIN done USING(ord) LEFT JOIN active USING(ord)" +
		" WHERE task.ord>=? AND task.ord<? AND done.ord IS NULL"
	s := &OpenSpan{n: n}
	err := c.Query(sql, func(row *sqlite3.Stmt) error {
		at, mask := bit(row.ColumnInt64(0))
		s.open[at] |= mask
		if row.ColumnInt64(1) == 1 {
			s.started[at] |= mask
		}
		return nil
	}, n*openSize, (n+1)*openSize)
	return s, err
}
