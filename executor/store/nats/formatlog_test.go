package nats

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// logWriter makes a log with all kinds of entries, of three processes.
type logWriter struct {
	*testing.T
	random  *rand.Rand
	store   *Store // which applies it
	now     schema.Time
	by      []*peer
	tasks   []uuid.UUID
	written writtenLog
}

func writeLog(t *testing.T) *writtenLog {
	w := &logWriter{T: t, random: rand.New(rand.NewPCG(1, 2)), store: newStore(Options{Logger: slog.New(slog.DiscardHandler)}), now: 1_800_000_000_000_000}
	for n := range 3 {
		w.begins(n)
	}
	w.write(w.by[0], change{Limits: &limits{Keep: 30, KeepIDs: 40, MaxQueued: 60, MaxOutput: 100, Resources: map[string]int64{"ram": 4}}})
	for range 600 {
		w.now += schema.Time(w.random.IntN(300_000))
		n := w.random.IntN(len(w.by))
		if p := w.by[n]; w.store.machine.peers[p.id] != p {
			w.begins(n)
		}
		w.write(w.by[n], w.some(w.by[n])...)
	}
	require.NoError(t, w.store.machine.tasks.Close())
	return &w.written
}

func (w *logWriter) id() (id uuid.UUID) {
	for i := range id {
		id[i] = byte(w.random.IntN(256))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return id
}

// begins lets a process begin to write.
func (w *logWriter) begins(n int) {
	id := w.id()
	w.append(id, 1, change{Hello: &hello{Name: fmt.Sprint("p", n), Host: "h", PID: n + 1, Slots: 2, Lease: int64(time.Second), Rules: rulesVersion}})
	p := w.store.machine.peers[id]
	require.NotNil(w, p)
	if n == len(w.by) {
		w.by = append(w.by, nil)
	}
	w.by[n] = p
	w.write(p, change{Join: &join{Number: 1, Every: true, Labels: map[string]string{"host": p.about.Name}}}, change{Join: &join{Number: 2, Types: []string{"plain"}, Limits: map[string]int{"plain": 1}}})
}

func (w *logWriter) write(p *peer, changes ...change) { w.append(p.id, p.last+1, changes...) }

func (w *logWriter) append(id uuid.UUID, number uint64, changes ...change) {
	text, err := encode(changes)
	require.NoError(w, err)
	e := writtenEntry{w.now, RoleExecutor, append(head{id, number, false}.append(nil), text...)}
	w.written.Entries = append(w.written.Entries, e)
	w.store.applied.Store(uint64(len(w.written.Entries)) - 1)
	require.NoError(w, w.store.applyEntry(entry{uint64(len(w.written.Entries)), e.At, e.Role, e.Piece}))
}

// some are changes of a process.
func (w *logWriter) some(p *peer) []change {
	switch w.random.IntN(22) {
	case 0, 1, 2, 3:
		return []change{{Submit: w.submissions(), All: w.random.IntN(2) == 0}, {Claim: 1}}
	case 4, 5, 6:
		return []change{{Claim: 1 + w.random.IntN(2), Again: w.random.IntN(2) == 0}}
	case 7:
		return []change{{Cancel: &cancel{IDs: []uuid.UUID{w.task()}, Reason: "no more", Force: w.random.IntN(2) == 0}}}
	case 8:
		if w.random.IntN(3) == 0 {
			return []change{{Update: &update{ID: w.task(), On: []map[string]string{{}, {"host": "p1"}}[w.random.IntN(2)]}}}
		}
		return []change{{Update: &update{ID: w.task(), Priority: new(int8(w.random.IntN(10))), Labels: map[string]string{"l": "new"}, Group: new("h")}}}
	case 9:
		return []change{{Group: &group{Name: "g", Limit: 1 + w.random.IntN(3), Count: 5, Per: int64(time.Second), Paused: w.random.IntN(6) == 0}}}
	case 10:
		return []change{{Pause: new(w.random.IntN(8) == 0)}}
	case 11:
		return []change{{Schedules: []scheduleText{{Name: fmt.Sprint("s", w.random.IntN(3)), Removed: w.random.IntN(3) == 0, Text: []byte(`{"every":"1h"}`)}}}}
	case 12:
		return []change{{DryRun: w.submissions()}, {Rest: 1}}
	case 13:
		return []change{{Beat: true}}
	case 14:
		return w.rarely(p)
	}
	return w.ofLease(p)
}

// rarely are changes of which processes there are.
func (w *logWriter) rarely(p *peer) []change {
	other := w.by[w.random.IntN(len(w.by))]
	switch w.random.IntN(6) {
	case 0:
		return []change{{Leave: true}}
	case 1:
		return []change{{Fence: &fence{Peer: other.id, Last: other.last}}}
	case 2:
		return []change{{Drain: &drain{Peer: other.id}}}
	case 3:
		return []change{{Drain: &drain{Peer: other.id, Undo: true}}}
	case 4:
		return []change{{Quit: 2}, {Join: &join{Number: 2, Types: []string{"plain", "other"}}}}
	}
	var all []attempt
	for _, h := range p.leasesInOrder() {
		r := h.Record()
		all = append(all, attempt{r.ID, r.Attempt})
	}
	return []change{{Drop: true, Leases: all}}
}

// ofLease are changes of a task that a process has, the one that it has had for longest.
func (w *logWriter) ofLease(p *peer) []change {
	held := p.leasesInOrder()
	if len(held) == 0 {
		return []change{{Claim: 1}}
	}
	r := held[0].Record()
	of := attempt{r.ID, r.Attempt}
	failed := &schema.TaskError{Kind: schema.KindExit, Message: "it has failed"}
	switch w.random.IntN(7) {
	case 0:
		return []change{{Started: &started{of, 7}}, {Progress: &progress{of, schema.Progress{Message: "half"}}}}
	case 1:
		return []change{{Output: &output{attempt: of, Stream: schema.Stdout, data: []byte("some text, and more of it\n")}}}
	case 2:
		return []change{{Finish: &finish{attempt: of, State: schema.Failed, Error: failed}}, {Release: &of}}
	case 3:
		return []change{{Retry: &retry{attempt: of, At: int64(w.now) + 500_000, Error: failed}}, {Release: &of}}
	case 4:
		return []change{{Return: &of}}
	}
	return []change{{Finish: &finish{attempt: of, State: schema.Completed, result: []byte(`{"n":1}`)}}, {Release: &of}, {Claim: 1}}
}

func (w *logWriter) task() uuid.UUID {
	if len(w.tasks) == 0 {
		return uuid.Nil
	}
	return w.tasks[w.random.IntN(len(w.tasks))]
}

// submissions are tasks that wait for all kinds of things.
func (w *logWriter) submissions() (all []submission) {
	for range 1 + w.random.IntN(2) {
		s := submission{ID: w.id(), Type: []string{"plain", "other"}[w.random.IntN(2)], Priority: int8(w.random.IntN(4)), Created: int64(w.now), Timeout: int64(time.Minute), Grace: int64(time.Second), Rerun: w.random.IntN(2) == 0, input: []byte(`{"a":1}`)}
		c := &schema.Conditions{}
		switch w.random.IntN(10) {
		case 0:
			c.Group = "g"
		case 1:
			c.Key = "k"
		case 2:
			c.Needs = map[string]int64{"ram": int64(1 + w.random.IntN(3))}
		case 3:
			c.RunAt, c.ExpiresAt = w.now+schema.Time(w.random.IntN(2_000_000)), w.now+3_000_000
		case 4:
			c.After = []schema.Dependency{{ID: w.task(), On: schema.OnFinish}}
		case 5:
			c.On = map[string]string{"host": fmt.Sprint("p", w.random.IntN(3))}
		case 6:
			c.Dedupe = &schema.Dedupe{Key: "d"}
		case 7:
			c.Retry = &schema.Retry{MaxAttempts: 3, DelayMs: new(int64(500)), Factor: 2, MaxDelayMs: 1000, Jitter: new(0.1), On: []schema.ErrorKind{schema.KindExit, schema.KindInterrupted}}
		case 8:
			c.Parent = w.task()
		}
		if !c.IsZero() {
			s.Conditions = c
		}
		if w.random.IntN(3) == 0 {
			s.Labels = map[string]string{"l": fmt.Sprint(w.random.IntN(3))}
		}
		w.tasks = append(w.tasks, s.ID)
		all = append(all, s)
	}
	return all
}
