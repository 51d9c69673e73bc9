package cmd

import (
	"slices"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file looks who is silent for too long, and who should have noticed.

// beatsSince is how many beats of a process came after a time, and after its latest pause.
func (l *logWriter) beatsSince(at time.Time) (n int) {
	for i := len(l.beats) - 1; i >= 0 && l.beats[i].After(at); i-- {
		n++
	}
	return n
}

// mostSilentBeats is how many beats of one process come at most until a silent one is given up.
const mostSilentBeats = int((historyLease + 3*time.Second) / beatTime)

// logOverdue says that a process is silent, and was not given up in many beats of another one that made no pause.
type logOverdue struct {
	pid, by int
	beats   int
	since   time.Time // the first of these beats
	at      time.Time
}

// checkOverdue notes which processes should have been given up. One that has written nothing since a gap in what was read may have been.
func (w *watchedLog) checkOverdue(by *logWriter, at time.Time) {
	for _, o := range w.writers {
		if o.gone || o.unsure || o.pid == 0 || at.Sub(o.at) <= historyLease+2*time.Second {
			continue
		}
		if n := by.beatsSince(o.at); n > 0 && n%(mostSilentBeats+1) == 0 {
			w.overdue = append(w.overdue, logOverdue{o.pid, by.pid, n, by.beats[len(by.beats)-n], at})
		}
	}
}

// checkOverdue: no process is silent for long while another one, which could have given it up, was neither slow nor hindered.
func (h *trial) checkOverdue() {
	for _, o := range h.log.overdue {
		hindered := func(c historyCause) bool {
			return c.rank() != ofAll && c.of(h, o.by) && c.from <= schema.TimeOf(o.at) && c.to >= schema.TimeOf(o.since)
		}
		if !slices.ContainsFunc(h.causes, hindered) {
			h.violates("process %d is silent, and nobody has given it up at %v, in %d beats of process %d, want at most %d", o.pid, o.at, o.beats, o.by, mostSilentBeats)
		}
	}
}

// mostStall is how long a process may write nothing for which nothing is the reason. What was under way when a server of NATS
// stopped is sent again after some seconds.
const mostStall = 10 * time.Second

// checkStalls: a server of NATS that stops stalls nobody for longer than it takes to elect a leader.
func (h *trial) checkStalls() {
	for _, s := range h.log.silences {
		if e := h.log.elections(s); e > 0 {
			h.log.elected = max(h.log.elected, s.to.Sub(s.from))
		}
	}
	for _, s := range h.log.stalls {
		rest := s.to.Sub(s.from) - h.log.elections(s.logSpan)
		if rest > mostStall && !h.isStopped(s) {
			h.violates("process %d has written nothing for %v, of which %v after the log had a leader", s.pid, s.to.Sub(s.from), rest)
		}
	}
}

// isStopped reports whether the process of a stall was stopped, cut off or slow itself.
func (h *trial) isStopped(s logStall) bool {
	for i := range h.causes {
		if c := &h.causes[i]; (c.pid != 0 || c.driver != nil) && c.of(h, s.pid) && c.from <= schema.TimeOf(s.to) && c.to >= schema.TimeOf(s.from) {
			return true
		}
	}
	return false
}

// elections is for how long the log had no leader in some time.
func (w *watchedLog) elections(in logSpan) (d time.Duration) {
	for _, s := range w.stops {
		if from, to := later(s.at, in.from), s.led; s.leads && !to.IsZero() {
			if to.After(in.to) {
				to = in.to
			}
			d += max(to.Sub(from), 0)
		}
	}
	return d
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
