package sqlite

import (
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// maxPermits bounds the tasks that have a permit, and those that have begun by one and
// whose starts are not recorded yet.
const maxPermits = 64

// permits are those of the tasks that wait. A task that must not run twice may not begin
// before the file says so. A permit says that it may have begun, and is recorded in a
// transaction that is written anyway. So the task is handed out without waiting for the disk,
// and its start is recorded in the next transaction.
//
// Where the process is killed between the two, the file does not tell whether the task has
// begun. So that is noted in a file in memory, which outlives the process. Where the notes
// are gone, because the system ended too, every task with a permit counts as begun.
//
// The store's lock protects it.
type permits struct {
	begun    *disk.Begun        // nil before the first permit
	unusable bool               // there can be no notes here
	given    map[int64]struct{} // those that are recorded, by the number of the task
	leases   int                // of tasks that have no end yet: their slots take other tasks soon
	claims   int                // since the latest transaction
	pace     int                // how many tasks are claimed between two transactions
	commits  int64              // how many transactions are on the disk
	// checkedAt is when use looked at the store's files.
	checkedAt time.Time
}

// usePermit reports whether a task, which is claimed, may begin at once. If so, that is
// noted. It needs the lock.
func (s *Store) usePermit(r *record, at schema.Time) bool {
	p := &s.permits
	if _, given := p.given[r.ord]; !given {
		return false
	}
	delete(p.given, r.ord)
	return s.stillOwned() && p.begun.Note(r.ord, int64(at), p.commits)
}

// stillOwned reports whether the store's files still have their names. Otherwise another
// process may have the store, and have found the permits. It needs the lock.
func (s *Store) stillOwned() bool {
	p := &s.permits
	if time.Since(p.checkedAt) < s.options.checkFilesEvery {
		return true
	}
	p.checkedAt = time.Now()
	gone, err := s.lock.Moved()
	if err == nil && !gone {
		gone, err = disk.Moved(s.path, s.opened)
	}
	return err == nil && !gone
}

// permit records permits for the tasks that are likely to be claimed next, and have none:
// for as many as there are slots that are free or will be. Where tasks are short, a slot
// is free several times while one transaction is written, and until the next one is. It
// records permits only in a transaction that writes something else.
func (t *transaction) permit(batch []entry) error {
	if !t.begun {
		return nil
	}
	for _, r := range t.store.permissible(batch) {
		name := t.store.notes()
		if name == "" {
			return nil
		}
		if err := t.writeActive(r, file.Active{Attempt: r.Attempt, Permit: name}); err != nil {
			return err
		}
		t.permitted = append(t.permitted, r)
	}
	return nil
}

// permissible answers which tasks are to have a permit. Those of the batch are claimed
// behind those that wait already. Of a type with a limit there are no more than that.
func (s *Store) permissible(batch []entry) (found []*record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &s.permits
	if p.unusable || s.closed {
		return nil
	}
	p.pace, p.claims = max(p.claims, p.pace/2), 0
	slots := min(p.leases+s.claims.Idle()+2*p.pace, maxPermits)
	room := maxPermits - len(p.given)
	soon := map[string]int{} // by type
	consider := func(r *record) {
		soon[r.Type]++
		slots--
		if _, given := p.given[r.ord]; !given && !r.Rerun && room > 0 {
			found = append(found, r)
			room--
		}
	}
	for _, e := range s.claims.Soon(slots) {
		consider(e.Value)
	}
	for _, e := range batch {
		e, ok := e.(*submission)
		if !ok {
			continue
		}
		for _, r := range e.fresh {
			if slots > 0 && r != nil && r.Conditions == nil && s.claims.Allowance(r.Type, maxPermits) > soon[r.Type] && !s.claims.isFar(r) {
				consider(r)
			}
		}
	}
	return found
}

// notes is the name of the notes on tasks that have begun, which it makes before the first
// permit; "" is none.
func (s *Store) notes() string {
	p := &s.permits // no other goroutine makes them
	if p.begun != nil {
		return p.begun.Name()
	}
	begun, err := disk.CreateBegun(s.options.begunDir, s.opened, maxPermits)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		p.unusable = true
		s.log.Debug("each task that must not run twice waits for the disk before it begins", "file", s.path, "reason", err)
		return ""
	}
	p.begun = begun
	return begun.Name()
}

// give makes permits that are recorded usable by claims. It needs the lock.
func (s *Store) give(permitted []*record) {
	for _, r := range permitted {
		if r.entry.Queued() || s.inBacklog(&r.Task, r.ord) { // otherwise it was claimed or cancelled meanwhile
			s.permits.given[r.ord] = struct{}{}
		}
	}
}

// withdrawPermits removes all permits from the file, so that the next process needs no
// notes.
func (t *transaction) withdrawPermits() error {
	attempts := map[int64]int32{}
	err := t.conn.Query("SELECT ord, attempt, started, cancelled, reason, sum FROM active WHERE started IS NULL AND cancelled IS NULL AND reason IS NOT NULL",
		func(row *sqlite3.Stmt) error {
			a, err := file.ReadActive(row, 0)
			if errors.Is(err, executor.ErrDamaged) { // its task is not run by the next process
				t.store.log.Error("a permit cannot be read; it is left in the file", "number", row.ColumnInt64(0), "error", err)
				return nil
			}
			if a.Permit != "" {
				attempts[row.ColumnInt64(0)] = a.Attempt
			}
			return err
		})
	for ord, attempt := range attempts {
		if err == nil {
			err = t.writeActive(&record{ord: ord}, file.Active{Attempt: attempt})
		}
	}
	return err
}

// foundPermits looks at the notes of the process that has died.
type foundPermits struct {
	store *Store
	name  string // of the notes that were read
	begun map[int64]int64
	found bool
}

// unused reports whether it is known that a task with a permit has not begun.
func (f *foundPermits) unused(ord int64, permit string) bool {
	if f.name != permit {
		f.name = permit
		f.begun, f.found = disk.ReadBegun(f.store.options.begunDir, f.store.opened, permit, maxPermits, f.store.committer.state.Commits)
	}
	_, noted := f.begun[ord]
	return f.found && !noted
}

// startOf is when a task began for which unused was false, or 0 where that is not known.
func (f *foundPermits) startOf(ord int64) schema.Time { return schema.Time(f.begun[ord]) }
