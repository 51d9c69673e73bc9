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
// grow to gcHeap, or by leastGCPercent where that is more.
const (
	gcHeap         = 36 << 20 // bytes
	leastGCPercent = 50
	mostGCPercent  = 800
)

// tuneGC sets the pace after each collection. It leaves it alone where GOGC or
// GOMEMLIMIT say what is wanted.
func tuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(mostGCPercent)
	afterGC(&pace{percent: mostGCPercent})
}

// pace is what was set last.
type pace struct{ percent int }

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
	live := min(sample[0].Value.Uint64(), gcHeap)
	percent := int(min(max((gcHeap-live)*100/(live+1), leastGCPercent), mostGCPercent))
	if percent*10 < p.percent*9 || percent*9 > p.percent*10 { // setting it stops the world for a moment
		p.percent = percent
		debug.SetGCPercent(percent)
	}
}
