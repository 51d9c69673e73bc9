package nats

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// This file lets the log be short: it says when a snapshot is made, and by whom.

const (
	// snapshotBytes is how many bytes the log has at least behind the latest snapshot before another one is
	// made. It is more where that is larger, so that snapshots are no more than what is written, and less
	// where the log has a bound, so that it never is full of what nobody needs. A namespace may have its own.
	snapshotBytes = 64 << 20
	// syncTime is how long a snapshot is stored before what is in it leaves the log. Servers of NATS that do not sync
	// always do so after two minutes, unless they are told otherwise.
	syncTime = 5 * time.Minute
	// maintainPause is how long at most a process does not look whether there is something to do, and mostKeepPause
	// where that has failed again and again.
	maintainPause, maxMaintainPause = time.Minute, 16 * time.Minute
)

const notShorter = "the log of the store cannot be made shorter at the moment"

// keeping is what a process knows of the snapshots, of which it makes some.
type keeping struct {
	syncTime time.Duration // settlePatience, but for tests
	mu       sync.Mutex    // protects what follows
	// readable says of snapshots, by subject, whether they were read back whole, or are damaged.
	readable map[string]bool
	// leftovers are what is not whole, and since when there is not more of it.
	leftovers map[leftover]time.Time
}

// maintainLog looks again and again whether a snapshot is to be made, and what can be removed, until ctx ends.
func (s *Store) maintainLog(ctx context.Context) {
	pause := time.NewTicker(maintainPause)
	defer pause.Stop()
	failures, again, told := 0, time.Time{}, ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-s.grown:
		}
		rank := s.snapshotRank()
		if rank < 0 || s.machine.anyDiffers() || time.Now().Before(again) {
			continue
		}
		asking, done := s.denied.cancelOnRefusal(ctx)
		err := orRefusal(asking, s.maintainOnce(asking, rank))
		done()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures, told = 0, ""
			s.setWarning("")
			continue
		}
		if failures++; failures > 1 { // what fails may write a whole snapshot each time
			again = time.Now().Add(min(maintainPause<<min(failures-2, 10), maxMaintainPause))
		}
		if err.Error() != told {
			told = err.Error()
			s.log.Warn(notShorter, "error", err)
			s.setWarning(notShorter + ": " + told)
		}
	}
}

// snapshotRank is how many processes make snapshots before this one: the first of those that run tasks makes them, and each
// other one where those before it do not. It is negative for the others. Where no process runs tasks, it counts all
// executors. Where two think that they are the first, both make one.
func (s *Store) snapshotRank() int {
	s.mu.Lock()
	self := s.self
	s.mu.Unlock()
	m := s.machine
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all, run []uuid.UUID
	for id, p := range m.peers {
		if p.about.Role == RoleExecutor {
			all = append(all, id)
			if len(p.joined) > 0 {
				run = append(run, id)
			}
		}
	}
	if run == nil {
		run = all
	}
	slices.SortFunc(run, compareIDs)
	return slices.Index(run, self)
}

// inventory is what there is of the log, and of snapshots.
type inventory struct {
	whole     []storedSnapshot // that are not known to be damaged, the newest first
	damaged   []storedSnapshot
	leftovers []leftover
	log       extent
}

// survey asks what there is.
func (s *Store) survey(ctx context.Context) (f inventory, err error) {
	whole, leftovers, err := s.snapshotStore.list(ctx)
	if err != nil {
		return inventory{}, err
	}
	if f.log, err = s.snapshotStore.extent(ctx); err != nil {
		return inventory{}, err
	}
	s.bound.Store(f.log.bound)
	f.leftovers = leftovers
	k := &s.keeping
	k.mu.Lock()
	defer k.mu.Unlock()
	readable, left := map[string]bool{}, map[leftover]time.Time{}
	for _, one := range whole {
		read, known := k.readable[one.subject]
		if known {
			readable[one.subject] = read
		}
		if known && !read {
			f.damaged = append(f.damaged, one)
		} else {
			f.whole = append(f.whole, one)
		}
	}
	for _, one := range leftovers {
		if left[one] = time.Now(); !k.leftovers[one].IsZero() {
			left[one] = k.leftovers[one]
		}
	}
	k.readable, k.leftovers = readable, left
	return f, nil
}

// maintainOnce makes a snapshot if the log has grown, and then removes what nobody needs, also where no snapshot could be made.
// It may be ended at any point: what is not whole is not read, and what is not removed is removed the next time.
func (s *Store) maintainOnce(ctx context.Context, rank int) error {
	f, err := s.survey(ctx)
	if err != nil {
		return err
	}
	if s.wantsSnapshot(&f, rank) {
		err = s.makeSnapshot(ctx)
	}
	if f.log.bytes <= 2*s.threshold(&f)*int64(rank+1) && rank > 0 && !f.log.nearlyFull(rank) { // it is done by one before this one
		return err
	}
	if e := s.removeOld(ctx); err == nil {
		err = e
	}
	return err
}

// threshold is how many bytes of log behind the newest snapshot make another one due.
func (s *Store) threshold(f *inventory) int64 {
	most := s.snapshotBytes
	if len(f.whole) > 0 {
		most = max(most, f.whole[0].Bytes)
	}
	if f.log.bound > 0 {
		most = min(most, f.log.bound/4)
	}
	return most
}

// wantsSnapshot reports whether the process of a rank is to make a snapshot. Where the log has no bound, or is not nearly
// full, one must have been stored for a while before the next one is made: so the older of two always is.
func (s *Store) wantsSnapshot(f *inventory, rank int) bool {
	var newest storedSnapshot
	if len(f.whole) > 0 {
		newest = f.whole[0]
	}
	behind, due := f.log.behind(newest.Entry), s.threshold(f)
	switch {
	case f.log.last < f.log.first:
		return false
	case f.log.nearlyFull(rank):
		return behind > due || len(f.whole) < 2 || f.whole[1].Entry <= f.log.first
	case len(f.whole) > 0 && !s.isSynced(newest, &f.log):
		return false
	}
	return behind > due*int64(rank+1)
}

// isSynced reports whether a snapshot is stored for so long that no power failure loses it.
func (s *Store) isSynced(k storedSnapshot, now *extent) bool {
	return !k.stored.Add(s.keeping.syncTime).After(now.at)
}

// behind is about how many bytes the log has behind an entry.
func (x *extent) behind(entry uint64) int64 {
	since := max(entry, x.first)
	if x.last <= since {
		return 0
	}
	return int64(float64(x.bytes) / float64(x.last+1-x.first) * float64(x.last-since))
}

// nearlyFull reports whether the log is so full that it must become shorter at once. The processes behind the first notice it
// later.
func (x *extent) nearlyFull(rank int) bool {
	return x.bound > 0 && x.bytes > x.bound/4*3+x.bound/32*int64(min(rank, 7))
}

// noteGrowth notes an entry that was applied. The goroutine that applies the log calls it.
func (s *Store) noteGrowth(e entry) {
	due := s.snapshotBytes
	if bound := s.bound.Load(); bound > 0 {
		due = min(due, bound/4)
	}
	if s.growth += int64(len(e.piece)); s.growth > due/4 {
		s.growth = 0
		wake(s.grown)
	}
}
