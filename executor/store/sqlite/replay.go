package sqlite

import (
	"context"
	"errors"
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
)

// Replay implements executor.Store.
func (s *Store) Replay(ctx context.Context, after, through uint64, limit int) ([]executor.Event, error) {
	if err := s.sweepExpired(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	var events []executor.Event
	for r := range s.running {
		if r.seq > after && r.seq <= through {
			events = append(events, kit.StartOf(r.seq, &r.Record, r.shown.Live(&r.Task)))
		}
	}
	s.mu.Unlock()
	err := s.readers.with(ctx, s, func(c *file.Conn) error {
		return c.Snapshot(func() error { return s.replayFinal(c, after, through, limit, &events) })
	})
	if err != nil {
		return nil, err
	}
	return kit.ReplayPage(events, limit), nil
}

const selectEnded = "SELECT " + file.TaskColumns + ", " + file.DoneColumns + " FROM done JOIN task USING(ord) WHERE done.ord=?"

// replayFinal adds the ends of tasks, up to limit, or until they are large together.
// It skips damaged tasks and does not count them, because a page without any event
// is the last one.
func (s *Store) replayFinal(c *file.Conn, after, through uint64, limit int, events *[]executor.Event) error {
	removed, err := c.Number("SELECT gone FROM store WHERE one=1")
	if err != nil {
		return err
	}
	if gone := uint64(removed); after < gone {
		return &executor.EventsGoneError{After: after, Oldest: gone}
	}
	n, size := 0, 0
	var last uint64
	each := func(row *sqlite3.Stmt) error {
		r, ord, err := file.ReadTask(c, s.types, row)
		if err == nil {
			last, err = file.ReadDone(row, file.DoneAt, &r.Task)
		}
		if errors.Is(err, executor.ErrDamaged) {
			s.log.Error("the end of a task cannot be read", "number", ord, "error", err)
			return nil
		}
		if err != nil {
			return err
		}
		size += len(r.Input) + len(r.Result)
		*events = append(*events, kit.EndOf(last, &r.Task))
		n++
		if n == limit || size > pageBytes {
			return errEnough
		}
		return nil
	}
	err = file.EachEnd(c, int64(after), int64(through), func(e file.End) error { return c.Query(selectEnded, each, e.Ord) })
	if errors.Is(err, errEnough) { // what comes later is for the next page
		*events = slices.DeleteFunc(*events, func(ev executor.Event) bool { return ev.Seq > last })
		return nil
	}
	return err
}

// errEnough ends a query whose rest is not wanted.
var errEnough = errors.New("enough")
