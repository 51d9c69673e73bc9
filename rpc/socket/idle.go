package socket

import (
	"context"
	"time"
)

// A server that has nothing to do is looked at so many times in the time after which
// it ends, while it has; never more often than leastIdleStep, and never more seldom
// than mostIdleStep.
const (
	idleSteps     = 20
	leastIdleStep = 10 * time.Millisecond
	mostIdleStep  = 10 * time.Second
)

// quiet tells how long a server has had nothing to do.
type quiet struct {
	server   *Server
	limit    time.Duration // 0 is none
	timer    *time.Timer   // says when to look
	since    time.Time
	accepted int64 // connections at the last look
}

func (s *Server) newQuiet() *quiet {
	q := &quiet{server: s, limit: s.options.Idle, timer: time.NewTimer(s.options.Idle), since: time.Now(), accepted: s.count()}
	if q.limit == 0 {
		q.timer.Stop()
	}
	return q
}

// look answers whether the server has had nothing to do for the limit.
func (q *quiet) look(ctx context.Context) bool {
	now := time.Now()
	if q.busy(ctx) {
		q.since = now
		q.timer.Reset(min(max(q.limit/idleSteps, leastIdleStep), mostIdleStep, q.limit))
		return false
	}
	left := q.limit - now.Sub(q.since)
	q.timer.Reset(max(left, 0))
	return left <= 0
}

// busy reports whether a client is or was there since the last look, or a task runs
// or can run.
func (q *quiet) busy(ctx context.Context) bool {
	accepted := q.server.count()
	came := accepted != q.accepted
	q.accepted = accepted
	if came || q.server.Connections() > 0 {
		return true
	}
	free, err := q.server.executor.Idle(ctx)
	return err != nil || !free
}
