package executor

import (
	"math"
	"sync"
	"time"

	"github.com/jobline/jobline/schema"
)

// maxProgressText bounds the unit and the message of a progress, in bytes.
const maxProgressText = 1024

// cleanProgress makes a progress fit for JSON and for a terminal's line; one
// whose value is not a number is none.
func cleanProgress(p schema.Progress) (schema.Progress, bool) {
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		return p, false
	}
	if math.IsNaN(p.Total) || math.IsInf(p.Total, 0) {
		p.Total = 0
	}
	p.Unit, p.Message = schema.CutBytes(p.Unit, maxProgressText), schema.CutBytes(p.Message, maxProgressText)
	return p, true
}

// progressGate lets one progress through in ProgressEvery: the first at once,
// then the newest when the time has come. It sends under its lock, so that
// values go out in the order in which they rose.
type progressGate struct {
	mu     sync.Mutex
	last   time.Time // when one was let through
	value  float64   // the highest so far
	next   *schema.Progress
	timer  *time.Timer
	closed bool
}

func (g *progressGate) offer(p schema.Progress, send func(schema.Progress)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	if !g.last.IsZero() {
		p.Value = max(p.Value, g.value)
	}
	g.value = p.Value
	wait := ProgressEvery - time.Since(g.last)
	if wait <= 0 && g.timer == nil {
		g.last = time.Now()
		send(p)
		return
	}
	g.next = &p
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, func() { g.due(send) })
	}
}

// due sends the kept progress when its time has come.
func (g *progressGate) due(send func(schema.Progress)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.next
	g.next, g.timer = nil, nil
	if g.closed || p == nil {
		return
	}
	g.last = time.Now()
	send(*p)
}

// close sends what was kept and lets nothing through any more.
func (g *progressGate) close(send func(schema.Progress)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	if g.timer != nil {
		g.timer.Stop()
	}
	if g.next != nil {
		send(*g.next)
	}
}
