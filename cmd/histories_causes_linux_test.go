package cmd

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file says what can explain that a task was taken from a server, and checks that something does.

// historyCause is why a server may have been silent, or slow, in some time.
type historyCause struct {
	kind     string
	pid      int       // of the process; noServer for none, and 0 where driver is set, or it is of all
	driver   *driverOf // it is of all of its servers
	from, to schema.Time
	measured bool // it is no fault that was injected
}

const noServer = -1

const never = schema.Time(math.MaxInt64)

// happened notes a cause. One without an end has none.
func (h *trial) happened(c historyCause) {
	if c.to == 0 {
		c.to = never
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.causes = append(h.causes, c)
}

// begins notes a cause that begins now, and goes on until the function is called that it answers.
func (h *trial) begins(c historyCause) (ends func()) {
	c.from, c.to = schema.Now(), never
	h.mu.Lock()
	defer h.mu.Unlock()
	i := len(h.causes)
	h.causes = append(h.causes, c)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.causes[i].to = schema.Now()
	}
}

// serverOf notes which driver has started a process.
func (h *trial) serverOf(pid, driver int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.servers[pid] = driver
}

// violates notes that a promise is broken.
func (h *trial) violates(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found = append(h.found, fmt.Sprintf(format, args...))
}

// of reports whether the cause is one of a process.
func (c *historyCause) of(h *trial, pid int) bool {
	if c.driver != nil {
		driver, known := h.servers[pid]
		return known && driver == c.driver.number
	}
	return c.pid == 0 || c.pid == pid
}

// cause is why a process was silent or slow in some time, nil where nothing says. What was done to that process comes first, and
// what was measured last.
func (h *trial) cause(pid int, from, to schema.Time) (found *historyCause) {
	for i := range h.causes {
		if c := &h.causes[i]; c.from <= to && c.to >= from && c.of(h, pid) && (found == nil || c.rank() < found.rank()) {
			found = c
		}
	}
	return found
}

// ofOne, ofAll and measured are the ranks of a cause.
const (
	ofOne = iota
	ofAll
	measured
)

func (c *historyCause) rank() int {
	switch {
	case c.measured:
		return measured
	case c.pid == 0 && c.driver == nil:
		return ofAll
	}
	return ofOne
}

// micros is a duration as a difference of two schema.Time.
func micros(d time.Duration) schema.Time { return schema.Time(d.Microseconds()) }

// logTaking is an entry of the log that takes tasks from a server.
type logTaking struct {
	by     string // what kind of entry it is
	at     schema.Time
	pid    int
	since  schema.Time // about since when nothing of the process came through
	leases []logAttempt
}

type logAttempt struct {
	ID      uuid.UUID `json:"id"`
	Attempt int       `json:"attempt"`
}

const byFence, byDrop, byLeave = "a fence", "a drop", "a leave"

// takes reports whether an attempt of a process was taken, if the process had it.
func (l *logTaking) takes(pid int, of logAttempt) bool {
	return l.pid == pid && (l.by != byDrop || slices.Contains(l.leases, of))
}

// checkTakings: what takes tasks from a server has a cause. A server gives them up, or is given up, when it was silent; that began
// with the fault, or shortly before what was read of the log.
func (h *trial) checkTakings(counts map[string]int) {
	for i := range h.log.takings {
		l := &h.log.takings[i]
		c := h.cause(l.pid, l.since-micros(historyLease), l.since+micros(historyLease/2))
		switch {
		case l.by == byLeave && l.leases == nil:
			h.violates("process %d has left at %v: no server was told to end", l.pid, l.at)
		case c == nil:
			h.violates("%s at %v has taken the tasks of process %d, which was silent since %v: nothing explains that", l.by, l.at, l.pid, l.since)
		default:
			counts[l.by+" because "+c.kind]++
		}
	}
}

// checkInterrupted: a task is interrupted only by an entry of the log that takes it from the server that had it.
func (h *trial) checkInterrupted(t *historyTask, counts map[string]int) {
	pid := pidOf(t.end.RanOn)
	of := logAttempt{t.params.ID, int(t.end.Attempt)}
	if slices.ContainsFunc(h.log.takings, func(l logTaking) bool { return l.at == t.end.FinishedAt && l.takes(pid, of) }) {
		return
	}
	if h.log.unread(t.end.FinishedAt, t.end.FinishedAt) {
		counts["interrupted ends in gaps of what was read"]++
		return
	}
	h.violates("task %v was interrupted at %v on process %d, and nothing has taken it from that", t.params.ID, t.end.FinishedAt, pid)
}

// pidOf is the process of an executor whose name is that of its process.
func pidOf(on *schema.RunsOn) (pid int) {
	if on != nil {
		_, _ = fmt.Sscanf(on.Executor, on.Host+"/%d", &pid)
	}
	return pid
}

// checkAttempts: each attempt of a task begins only when the one before was taken from its server, so that no two run at
// once, but where that server did not know it yet.
func (h *trial) checkAttempts(t *historyTask, runs []*ledgerRun, counts map[string]int) {
	runs = slices.SortedFunc(slices.Values(runs), func(a, b *ledgerRun) int { return a.attempt - b.attempt })
	id := t.params.ID
	for i, b := range runs {
		if b.attempt > int(t.end.Attempt) {
			h.violates("task %v: attempt %d ran, and it ended with attempt %d", id, b.attempt, t.end.Attempt)
		}
		if b.began > t.end.FinishedAt+micros(historyLease) && h.cause(b.pid, t.end.FinishedAt-micros(historyLease), b.began) == nil {
			h.violates("task %v: attempt %d began at %v on process %d, long after the end at %v", id, b.attempt, b.began, b.pid, t.end.FinishedAt)
		}
		if i == 0 || t.params.Type != "ledger" {
			continue
		}
		a := runs[i-1]
		if !h.isTaken(id, a, a.began, b.began) && !h.log.unread(a.began, b.began) && !h.beganLate(id, a, b.began) {
			h.violates("task %v: attempt %d began at %v on process %d, and attempt %d of process %d, which had begun at %v, was not taken from that before", id, b.attempt, b.began, b.pid, a.attempt, a.pid, a.began)
		}
		if over := h.overAt(a); over > b.began {
			counts["attempts that still ran when the next one began"]++
		}
	}
}

// isTaken reports whether an entry between two times takes a run from its server.
func (h *trial) isTaken(id uuid.UUID, r *ledgerRun, from, to schema.Time) bool {
	return slices.ContainsFunc(h.log.takings, func(l logTaking) bool { return l.at >= from && l.at <= to && l.takes(r.pid, logAttempt{id, r.attempt}) })
}

// beganLate reports whether a run was taken from its server before it began, as where that was stopped between the two.
func (h *trial) beganLate(id uuid.UUID, r *ledgerRun, before schema.Time) bool {
	return slices.ContainsFunc(h.log.takings, func(l logTaking) bool {
		return l.at < r.began && l.at <= before && l.takes(r.pid, logAttempt{id, r.attempt}) && h.cause(r.pid, l.since-micros(historyLease), r.began) != nil &&
			r.began-l.at < micros(soon)
	})
}

// overAt is when a run was over: when it has said so, or its process was dead.
func (h *trial) overAt(r *ledgerRun) schema.Time {
	over := never
	if r.ended != 0 {
		over = r.ended
	}
	for _, c := range h.causes {
		if c.pid == r.pid && c.to == never && c.from < over {
			over = max(c.from, r.began)
		}
	}
	return over
}

// checkLate: a task is completed by a run that was not taken from its server before.
func (h *trial) checkLate(t *historyTask, r *ledgerRun) {
	if h.isTaken(t.params.ID, r, r.began, t.end.FinishedAt) {
		h.violates("task %v is completed at %v by attempt %d of process %d, from which it was taken before", t.params.ID, t.end.FinishedAt, r.attempt, r.pid)
	}
}
