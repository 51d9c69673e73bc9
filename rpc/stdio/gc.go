package stdio

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The garbage collector's pace. A small heap is collected far too often at
// Go's default of 100 % (a busy server spent a fifth of its time on it), and
// with a million queued tasks the default doubles a large one. So the heap may
// grow to gcHeap, or by leastGCPercent where that is more. With a durable store, whose tasks
// are in the file and cost more time each, it may grow to gcHeapDurable.
const (
	gcHeap         = 26 << 20 // bytes
	gcHeapDurable  = 20 << 20
	leastGCPercent = 50
	// smallestHeap is the heap at which Go first collects at 100 %, in bytes.
	smallestHeap = 4 << 20
)

// tuneGC sets the pace after each collection. It leaves it alone where GOGC or
// GOMEMLIMIT say what is wanted.
func tuneGC(durable bool) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	p := &pace{heap: gcHeap}
	if durable {
		p.heap = gcHeapDurable
	}
	p.percent = p.most()
	debug.SetGCPercent(p.percent)
	afterGC(p)
}

// pace is how large the heap may become, in bytes, and what was set last.
type pace struct {
	heap    uint64
	percent int
}

// most is the percentage at which the first collection comes before the heap has its size.
func (p *pace) most() int { return int((p.heap - smallestHeap) * 100 / smallestHeap) }

// afterGC calls adjust after every collection: each frees the object that the
// one before has left.
func afterGC(p *pace) {
	type sentinel struct{ _ [16]byte }
	runtime.AddCleanup(&sentinel{}, func(p *pace) {
		p.adjust()
		afterGC(p)
	}, p)
}

func (p *pace) adjust() {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	live := min(sample[0].Value.Uint64(), p.heap)
	percent := min(max(int((p.heap-live)*100/(live+1)), leastGCPercent), p.most())
	if percent*10 < p.percent*9 || percent*9 > p.percent*10 { // setting it stops the world for a moment
		p.percent = percent
		debug.SetGCPercent(percent)
	}
}
