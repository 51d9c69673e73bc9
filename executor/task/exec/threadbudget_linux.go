package exec

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// threadsEach is how many threads a command takes: one that waits for it,
	// and one that waits for the others of its tree when it is stopped.
	threadsEach = 2
	// threadsBeside is how many threads a server comes to take beside its
	// commands and those it starts with: for its store, its looks, its output.
	threadsBeside = 8
	// maxThreads bounds how many threads are made at once.
	maxThreads = 256
)

// threads are those of the runtime that commands need. They are made before
// the first command: the runtime ends the process where it needs one and the
// system has no more, as beside a fork bomb. It keeps those it has.
type threads struct {
	made sync.Once
	most int64 // commands that there are threads for
	used atomic.Int64
}

// take is called before a command begins, and give when it is over where that
// answers true. workers is how many there are to be threads for, if the system
// has as many.
func (t *threads) acquire(workers int) bool {
	t.made.Do(func() {
		wanted, had := plannedThreads(workers, headroom())
		makeThreads(had)
		t.most = math.MaxInt64
		if had < wanted {
			t.most = int64(max(1, (had-threadsBeside)/threadsEach))
		}
	})
	if t.used.Add(1) <= t.most {
		return true
	}
	t.release()
	return false
}

func (t *threads) release() { t.used.Add(-1) }

// plannedThreads is how many threads are wanted, and how many can be had of
// the room: the commands' processes need some of it, too.
func plannedThreads(workers, headroom int) (wanted, had int) {
	wanted = min(threadsEach*min(workers, maxThreads)+threadsBeside, maxThreads)
	return wanted, min(wanted, headroom-headroom/3)
}

// makeThreads makes as many threads and leaves them to the runtime.
func makeThreads(n int) {
	var ready, over sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		over.Go(func() {
			runtime.LockOSThread() // so that no two have the same
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	over.Wait()
}
