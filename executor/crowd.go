package executor

import "runtime"

const (
	// crowd is how many connections are many.
	crowd = 8
	// yields is how often Yield lets others run at most.
	yields = 8
)

// Crowded reports whether there are many connections. What they submit at once may not fit the
// processor's cache: a task is run fast while what was just submitted is still there.
func (e *Executor) Crowded() bool { return e.connections.Load() >= crowd }

// Yield lets other goroutines run. Where there are many connections, it does so again while tasks
// have ended meanwhile, a few times: the goroutine of one that has submitted much comes after what runs the tasks.
func (e *Executor) Yield() {
	if !e.Crowded() {
		runtime.Gosched()
		return
	}
	for range yields {
		before := e.rates.endings()
		runtime.Gosched()
		if e.rates.endings() == before {
			return
		}
	}
}
