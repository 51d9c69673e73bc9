package nats

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// This file decides which executors end where the copies of half of them differ from those of the other half. Each of them reads
// the newest snapshot and the log again, and compares the digests that these make with its own. No snapshot is made while copies
// differ, so the newest one has what was damaged since.

const (
	// recountTimeout is how long an executor reads the log again at most.
	recountTimeout = time.Minute
	// tieLeases is how many leases an executor that has found its own copy right waits for the others to end.
	tieLeases = 2
)

// tie is a tie that this process is in.
type tie struct {
	found   error // with which this process ends if its copy is the wrong one
	verdict atomic.Pointer[verdict]
}

// verdict is what a process knows that has read the log again.
type verdict struct {
	isWrong, isRight bool // of its own copy; neither where that is not known
	at               time.Time
}

// recount begins to read the log again. The goroutine that applies the log calls it, and goes on.
func (s *Store) recount(found *differsError) {
	t, own := &tie{found: found}, s.recentDigests
	s.tie = t
	s.running.Go(func() {
		v, err := s.recountOnce(&own, found.entry)
		if err != nil {
			s.log.Warn("the log cannot be read again to find out whose copy is damaged", "error", err)
		}
		v.at = time.Now()
		t.verdict.Store(&v)
	})
}

// recountOnce compares the digests of this process with those that the log makes. After the entry its copy differed from
// another one.
func (s *Store) recountOnce(own *recentDigests, entry uint64) (v verdict, err error) {
	if s.conn == nil {
		return v, errors.New("there are no servers")
	}
	ctx, cancel := context.WithTimeout(s.lifetime, recountTimeout)
	defer cancel()
	same := false
	all, err := readAll(ctx, s.options.Address, s.options.Credentials, &observer{digest: func(made entryDigest) {
		for _, mine := range own.ring {
			if mine.Entry == made.Entry {
				same = same || mine.Digest == made.Digest && mine.Entry >= entry
				v.isWrong = v.isWrong || mine.Digest != made.Digest
			}
		}
	}})
	if err != nil {
		return verdict{}, err
	}
	all.stop()
	v.isRight = same && !v.isWrong
	return v, nil
}

// settleTie answers an error if this process is in a tie, and is to end. Where nobody knows whose copy is right, or those do
// not end whose copies are wrong, the executors end whose copies differ from that of the one that joined first: it has told more
// than those that joined later.
func (s *Store) settleTie() error {
	t := s.tie
	if t == nil {
		return nil
	}
	v := t.verdict.Load()
	_, tied := s.machine.vote()
	switch {
	case v != nil && v.isWrong:
		return t.found
	case !tied: // the others have ended, or are more or fewer now
		s.tie = nil
		return nil
	case v == nil, v.isRight && time.Since(v.at) < tieLeases*s.options.Lease:
		return nil
	case s.machine.firstDiffers():
		return t.found
	}
	return nil
}
