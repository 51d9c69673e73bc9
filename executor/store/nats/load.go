package nats

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// This file loads a snapshot when a process starts.

// load loads the newest snapshot that can be read. If there is none, the log must still have its first entry.
func (s *Store) load(ctx context.Context) error {
	ctx, done := s.denied.cancelOnRefusal(ctx)
	defer done()
	whole, _, err := s.snapshotStore.list(ctx)
	if err != nil {
		return streamError(s.options.Address, s.options.Credentials, err)
	}
	for _, k := range whole {
		began := time.Now()
		m, e, err := s.readSnapshot(ctx, k, s.tick)
		if err == nil {
			s.log.Info("a snapshot of the store is read", "entry", k.Entry, "bytes", k.Bytes, "took", time.Since(began).Round(time.Millisecond))
			_ = s.machine.tasks.Close()
			s.machine, s.appliedAt = m, e.at
			s.applied.Store(e.sequence)
			break
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err, errSnapshotGone) { // it was removed because there are newer ones
			return errLogGap
		}
		s.log.Warn("a snapshot of the store cannot be read", "entry", k.Entry, "error", err)
	}
	now, err := s.snapshotStore.extent(ctx)
	if err != nil {
		return streamError(s.options.Address, s.options.Credentials, err)
	}
	if now.first <= s.applied.Load()+1 {
		return nil
	}
	others, _, err := s.snapshotStore.list(ctx)
	if err != nil {
		return streamError(s.options.Address, s.options.Credentials, err)
	}
	for _, k := range others {
		if !slices.ContainsFunc(whole, func(o storedSnapshot) bool { return o.subject == k.subject }) {
			return errLogGap // newer snapshots have replaced those that were listed, so Open begins again
		}
	}
	return &lostBeginning{s.options.Address, now.first}
}

// lostBeginning says that neither the log nor a snapshot has what came before the log's first entry.
type lostBeginning struct {
	address Address
	first   uint64
}

func (e *lostBeginning) Error() string {
	return fmt.Sprintf("the log of the namespace %s begins with entry %d, and no snapshot of what was before it can be read; restore the streams %s and %s from one backup",
		e.address.Namespace, e.first, e.address.StreamName(), e.address.snapshotStream())
}

// readSnapshot makes a machine from a snapshot. The error is an unreadError if the snapshot could not be
// fetched.
func (s *Store) readSnapshot(ctx context.Context, k storedSnapshot, due func()) (*machine, entry, error) {
	from, closes, err := s.snapshotStore.open(ctx, k)
	if err != nil {
		return nil, entry{}, unreadError{err}
	}
	defer closes()
	m, e, err := restoreMachine(from, due)
	if err == nil && (e.sequence != k.Entry || int64(e.at) != k.At) {
		_ = m.tasks.Close()
		return nil, entry{}, fmt.Errorf("it is of entry %d, and should be of entry %d", e.sequence, k.Entry)
	}
	return m, e, err
}

// checkSnapshotStream says why the snapshot stream would lose snapshots, after a change of its configuration.
// That it has fewer replicas than the log is only logged: the log is not shortened then.
func (s *Store) checkSnapshotStream(ctx context.Context, h *streamSnapshotStore) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	ctx, done := s.denied.cancelOnRefusal(ctx)
	defer done()
	lost, replicas := h.check(ctx)
	if replicas != nil {
		s.log.Warn("the log of the store is not shortened", "error", replicas)
	}
	return orRefusal(ctx, lost)
}
