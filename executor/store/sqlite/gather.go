package sqlite

import "runtime"

// Bounds of a transaction. One entry is taken however large it is.
const (
	maxRows  = 2048
	maxBytes = 4 << 20
)

// gather lets changes gather while short tasks end one after the other, so that a submit and
// their ends share a sync: what does not wait for companyDelay waits for this. It looks at
// most gatherLooks times, and only as long as there is more each time and tasks wait to run.
// Between two looks it lets other goroutines run. It does not look at the clock: what it
// waits for takes microseconds.
func (s *Store) gather() {
	for n, before := 0, -1; n < gatherLooks; n++ {
		s.mu.Lock()
		now := len(s.entries)
		coming := now > before && s.pressing && s.fault == nil && s.claims.Len() > 0
		s.mu.Unlock()
		if !coming {
			return
		}
		before = now
		for range gatherYields {
			runtime.Gosched()
		}
	}
}

const (
	gatherLooks  = 64
	gatherYields = 32
)

// takeBatch takes the beginning of the log, or nothing while all of it may wait. It needs
// the lock.
func (s *Store) takeBatch() []entry {
	if !s.pressing && !s.closed && s.fault == nil {
		return nil
	}
	n, rows, bytes := 0, 0, 0
	for ; n < len(s.entries); n++ {
		r, b := s.entries[n].weight()
		if n > 0 && (rows+r > maxRows || bytes+b > maxBytes) {
			break
		}
		rows, bytes = rows+r, bytes+b
	}
	batch := s.entries[:n:n]
	s.entries = s.entries[n:]
	if len(s.entries) == 0 {
		s.entries, s.pressing = nil, false
	}
	return batch
}
