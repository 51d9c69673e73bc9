package exec

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// threadsEach is how many threads a command takes: one waits for its first
	// process, and one for the rest of its tree when it is stopped.
	threadsEach = 2
	// threadsBeside is how many more threads a server takes with time, beside its
	// commands: for its store, its scans and its output.
	threadsBeside = 8
	// maxThreads bounds how many threads are made at once.
	maxThreads = 256
)

// threads are the threads of the runtime that commands need. They are made
// before the first command, and the runtime keeps them: it ends the process
// when it needs a thread and the system allows no more, as beside a fork bomb.
type threads struct {
	made sync.Once
	most int64 // how many commands have threads
	used atomic.Int64
}

// acquire is called before a command starts. Where it returns true, release is
// called when the command is over. workers is for how many commands threads are
// made, if the system allows as many.
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

// plannedThreads returns how many threads are wanted, and how many of these to
// make. The rest of the headroom is for the processes of the commands.
func plannedThreads(workers, headroom int) (wanted, had int) {
	wanted = min(threadsEach*min(workers, maxThreads)+threadsBeside, maxThreads)
	return wanted, min(wanted, headroom-headroom/3)
}

// makeThreads makes n threads and leaves them to the runtime.
func makeThreads(n int) {
	var ready, over sync.WaitGroup
	release := make(chan struct{})
	ready.Add(n)
	for range n {
		over.Go(func() {
			runtime.LockOSThread() // so that each goroutine has another thread
			defer runtime.UnlockOSThread()
			ready.Done()
			<-release
		})
	}
	ready.Wait()
	close(release)
	over.Wait()
}
