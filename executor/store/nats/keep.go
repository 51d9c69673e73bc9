package nats

import (
	"context"
	"fmt"
	"time"
)

// This file lets the log be short: it makes snapshots, and removes what is before them from the log.

const (
	// snapshotBytes is how many bytes the log has at least behind the latest snapshot before another one is
	// made. It is more where that is larger, so that snapshots are no more than what is written, and less
	// where the log has a bound, so that it never is full of what nobody needs. A namespace may have its own.
	snapshotBytes = 64 << 20
	// keepPause is how long at most a process does not look whether there is something to do.
	keepPause = time.Minute
)

// keep looks again and again whether a snapshot is to be made, and what can be removed, until ctx ends.
func (s *Store) keep(ctx context.Context) {
	pause := time.NewTicker(keepPause)
	defer pause.Stop()
	for told := ""; ; {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-s.grown:
		}
		if !s.keeps() || s.machine.doubts() {
			continue
		}
		asking, done := s.denied.until(ctx)
		err := orRefusal(asking, s.keepOnce(asking))
		done()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			told = ""
			continue
		}
		if err.Error() != told {
			told = err.Error()
			s.log.Warn("the log of the store cannot be made shorter at the moment", "error", err)
		}
	}
}

// keeps reports whether this process is the one that makes snapshots: the first of the executors. Where two think
// that they are, both make one.
func (s *Store) keeps() bool {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	var first *peer
	for _, p := range m.peers {
		if p.about.Role == RoleExecutor && (first == nil || compareIDs(p.id, first.id) < 0) {
			first = p
		}
	}
	return first != nil && first.id == self
}

// keepOnce makes a snapshot if the log has grown, and then removes what nobody needs. It may be ended at any
// point: what is not whole is not read, and what is not removed is removed the next time.
func (s *Store) keepOnce(ctx context.Context) error {
	whole, _, err := s.shelf.list(ctx)
	if err != nil {
		return err
	}
	grown, err := s.grownSince(ctx, whole)
	if err != nil {
		return err
	}
	if grown {
		if err := s.makeSnapshot(ctx); err != nil {
			return err
		}
	}
	return s.removeOld(ctx)
}

// grownSince reports whether the log has grown so much behind the newest snapshot that another one is to be made.
func (s *Store) grownSince(ctx context.Context, whole []kept) (bool, error) {
	now, err := s.shelf.extent(ctx)
	if err != nil {
		return false, err
	}
	since, most := uint64(0), s.snapshotBytes
	if len(whole) > 0 {
		since, most = whole[0].Entry, max(most, whole[0].Bytes)
	}
	if now.bound > 0 {
		most = min(most, now.bound/4)
	}
	since = max(since, now.first)
	if now.last <= since {
		return false, nil
	}
	behind := float64(now.bytes) / float64(now.last+1-now.first) * float64(now.last-since)
	return int64(behind) > most, nil
}

// makeSnapshot makes a snapshot of what is applied, and stores it. Nothing is applied while it is made.
func (s *Store) makeSnapshot(ctx context.Context) error {
	began := time.Now()
	s.applying.Lock()
	k, pieces := kept{Entry: s.applied.Load(), At: int64(s.appliedAt)}, pieceWriter{most: s.pieceBytes}
	err := s.machine.snapshot(&pieces, entry{sequence: k.Entry, at: s.appliedAt})
	s.applying.Unlock()
	if err != nil {
		return fmt.Errorf("no snapshot can be made: %w", err)
	}
	k.Bytes = pieces.bytes
	waited := time.Since(began)
	if err := s.shelf.put(ctx, k, pieces.all); err != nil {
		return fmt.Errorf("the snapshot cannot be stored: %w", err)
	}
	s.log.Info("a snapshot of the store is made", "entry", k.Entry, "bytes", k.Bytes, "waited", waited.Round(time.Millisecond), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// grows notes an entry that was applied. The goroutine that applies the log calls it.
func (s *Store) grows(e entry) {
	if s.growth += int64(len(e.piece)); s.growth > s.snapshotBytes/4 {
		s.growth = 0
		wake(s.grown)
	}
}

// pieceWriter writes to pieces of a length in memory.
type pieceWriter struct {
	most  int
	all   [][]byte
	bytes int64
}

func (w *pieceWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		last := len(w.all) - 1
		if last < 0 || len(w.all[last]) == w.most {
			w.all = append(w.all, make([]byte, 0, w.most))
			last++
		}
		n := min(len(rest), w.most-len(w.all[last]))
		w.all[last] = append(w.all[last], rest[:n]...)
		rest = rest[n:]
	}
	w.bytes += int64(len(p))
	return len(p), nil
}

// removeOld removes all snapshots but the two newest, and from the log what is before the older one and was applied by all.
// So whoever reads one of the two finds the log behind it. The entry of that snapshot stays: by it a process
// sees that the log is the one of the snapshot.
func (s *Store) removeOld(ctx context.Context) error {
	whole, others, err := s.shelf.list(ctx)
	if err != nil || len(whole) == 0 {
		return err
	}
	for _, old := range whole[min(2, len(whole)):] {
		others = append(others, old.subject)
	}
	for _, subject := range others {
		if entryOf(subject) >= whole[0].Entry {
			continue // it may become whole yet
		}
		if err := s.shelf.remove(ctx, subject); err != nil {
			return err
		}
	}
	if len(whole) < 2 {
		return nil
	}
	upTo := s.removable(whole[1].Entry)
	if upTo <= s.purged {
		return nil
	}
	if err := s.shelf.purge(ctx, upTo); err != nil {
		return err
	}
	s.purged = upTo
	return nil
}
