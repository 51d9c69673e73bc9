package executor

import (
	"sync"
	"time"

	"github.com/jobline/jobline/schema"
)

// rateWindow is over how many seconds rates are means.
const rateWindow = 60

// rates counts what happened since the start, and in each of the last seconds.
type rates struct {
	mu       sync.Mutex
	began    time.Time
	accepted int64
	ends     schema.TaskCounts
	seconds  [rateWindow]second // by number modulo the window
}

// second is what happened in one second, numbered from the start.
type second struct{ number, submitted, finished int64 }

// now is the second that it is; it needs the lock.
func (r *rates) now() *second {
	n := int64(time.Since(r.began) / time.Second)
	s := &r.seconds[n%rateWindow]
	if s.number != n {
		*s = second{number: n}
	}
	return s
}

func (r *rates) submitted(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted += int64(n)
	r.now().submitted += int64(n)
}

func (r *rates) ended(s schema.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.ends.Of(s)++
	r.now().finished++
}

// endings is how many tasks have ended.
func (r *rates) endings() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ends.Completed + r.ends.Failed + r.ends.Cancelled
}

func (r *rates) sums() schema.TaskTotals {
	r.mu.Lock()
	defer r.mu.Unlock()
	return schema.TaskTotals{Submitted: r.accepted, Completed: r.ends.Completed, Failed: r.ends.Failed, Cancelled: r.ends.Cancelled}
}

func (r *rates) perSecond() schema.Rates {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now().number
	var submitted, finished int64
	for _, s := range r.seconds {
		if s.number > now-rateWindow {
			submitted += s.submitted
			finished += s.finished
		}
	}
	over := max(min(time.Since(r.began).Seconds(), rateWindow), 1)
	return schema.Rates{SubmittedPerSecond: float64(submitted) / over, FinishedPerSecond: float64(finished) / over}
}
