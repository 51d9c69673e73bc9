package nats

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// This file makes snapshots, and checks that they can be read back.

// makeSnapshot makes a snapshot of the copy, stores it, and reads it back. No entry is applied while it is made
// in memory.
func (s *Store) makeSnapshot(ctx context.Context) error {
	began := time.Now()
	s.applying.Lock()
	k, pieces := storedSnapshot{Entry: s.applied.Load(), At: int64(s.appliedAt)}, pieceWriter{most: s.pieceBytes}
	err := s.machine.snapshot(&pieces, entry{sequence: k.Entry, at: s.appliedAt})
	s.applying.Unlock()
	if err != nil {
		return fmt.Errorf("no snapshot can be made: %w", err)
	}
	k.Bytes = pieces.bytes
	waited := time.Since(began)
	if k, err = s.snapshotStore.put(ctx, k, pieces.all); err != nil {
		return fmt.Errorf("the snapshot cannot be stored: %w", err)
	}
	switch whole, err := s.isReadable(ctx, k); {
	case err != nil:
		return err
	case !whole:
		err := errors.New("a snapshot that was just stored cannot be read back; it is removed")
		if e := s.snapshotStore.remove(ctx, k.subject); e != nil {
			err = fmt.Errorf("%w, which failed: %w", err, e)
		}
		return err
	}
	s.log.Info("a snapshot of the store is made", "entry", k.Entry, "bytes", k.Bytes, "waited", waited.Round(time.Millisecond), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// unreadError says that a snapshot could not be fetched, so it is not known whether it is damaged.
type unreadError struct{ error }

func (e unreadError) Unwrap() error { return e.error }

// isReadable reports whether a machine can be restored from a snapshot. It reads each snapshot once, and
// remembers the result.
func (s *Store) isReadable(ctx context.Context, k storedSnapshot) (bool, error) {
	s.keeping.mu.Lock()
	read, known := s.keeping.readable[k.subject]
	s.keeping.mu.Unlock()
	if known {
		return read, nil
	}
	m, _, err := s.readSnapshot(ctx, k, func() {})
	if err == nil {
		err = m.tasks.Close()
	}
	if _, unread := errors.AsType[unreadError](err); unread || ctx.Err() != nil {
		return false, fmt.Errorf("the snapshot of entry %d cannot be read back: %w", k.Entry, err)
	}
	if err != nil {
		s.log.Error("a snapshot of the store is damaged", "entry", k.Entry, "error", err)
	}
	s.keeping.mu.Lock()
	defer s.keeping.mu.Unlock()
	if s.keeping.readable == nil {
		s.keeping.readable = map[string]bool{}
	}
	s.keeping.readable[k.subject] = err == nil
	return err == nil, nil
}

// pieceWriter collects what is written to it, in pieces of most bytes.
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
