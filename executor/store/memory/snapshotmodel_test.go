package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// copied is a replica, with what others hold of it.
type copied struct {
	*memory.Replica
	held  memory.Held
	watch executor.Watcher
}

func newCopied(rt *rapid.T, r *memory.Replica, held memory.Held) *copied {
	w, err := r.Watch(context.Background())
	require.NoError(rt, err)
	_, _, err = w.Subscribe(context.Background(), executor.Selector{Events: 1<<(executor.EventFinished+1) - 1})
	require.NoError(rt, err)
	return &copied{r, held, w}
}

// events are those since the last call.
func (c *copied) events(rt *rapid.T) (all []executor.Event) {
	require.NoError(rt, c.watch.Barrier(context.Background()))
	for {
		page, err := c.watch.Next(context.Background())
		require.NoError(rt, err)
		for _, ev := range page {
			if ev.Kind == executor.EventBarrier {
				return all
			}
			all = append(all, ev)
		}
	}
}

func (c *copied) snapshot(rt *rapid.T) []byte {
	var b bytes.Buffer
	require.NoError(rt, c.Snapshot(&b, c.held))
	return b.Bytes()
}

// twins are two replicas that get the same changes, of which one was made of a snapshot of the other
// at some moments.
type twins struct {
	all   [2]*copied
	now   schema.Time
	ids   []uuid.UUID
	begun map[executor.Lease]bool // by those of the first
	ended map[executor.Lease]bool
}

// each makes a change in both, and compares what comes of it.
func (m *twins) each(rt *rapid.T, change func(c *copied) any) any {
	var answers [2]any
	for i, c := range m.all {
		c.Advance(m.now)
		answers[i] = change(c)
		c.Advance(m.now)
	}
	require.Equal(rt, answers[0], answers[1])
	require.Equal(rt, m.all[0].events(rt), m.all[1].events(rt))
	require.Equal(rt, m.all[0].Digest(), m.all[1].Digest())
	return answers[0]
}

func below(rt *rapid.T, n int, what string) int { return rapid.IntRange(0, n-1).Draw(rt, what) }

func oneOf(rt *rapid.T, n int, what string) bool { return below(rt, n, what) == 0 }

func (m *twins) someID(rt *rapid.T) uuid.UUID {
	if len(m.ids) == 0 {
		rt.Skip("there is no task")
	}
	return rapid.SampledFrom(m.ids).Draw(rt, "id")
}

func (m *twins) submission(rt *rapid.T) (s executor.Submission) {
	s.ID = uuid.UUID{0: byte(len(m.ids) >> 8), 1: byte(len(m.ids)), 15: byte(below(rt, 250, "id"))}
	if len(m.ids) > 0 && oneOf(rt, 15, "again") {
		s.ID = m.someID(rt)
	} else {
		s.NewID = oneOf(rt, 3, "new id")
	}
	s.Type, s.Priority = fmt.Sprint("t", below(rt, 3, "type")), int8(below(rt, 3, "priority")-1)
	s.CreatedAt = m.now + schema.Time(below(rt, 3, "created")*1000-1000)
	s.Input = bytes.Repeat([]byte("i"), 1+below(rt, 3, "input")*700)
	s.Timeout, s.Grace, s.Rerun = time.Duration(below(rt, 2, "timeout"))*time.Second, time.Second, oneOf(rt, 2, "rerun")
	if oneOf(rt, 3, "labelled") {
		s.Labels = map[string]string{"of": fmt.Sprint(below(rt, 3, "label")), "x": "y"}
	}
	if oneOf(rt, 4, "plain") {
		return s
	}
	s.Conditions = m.conditions(rt)
	if s.Conditions.IsZero() {
		s.Conditions = nil
	}
	return s
}

func (m *twins) conditions(rt *rapid.T) *schema.Conditions {
	c := &schema.Conditions{}
	if oneOf(rt, 5, "delayed") {
		c.RunAt = m.now + schema.Time(below(rt, 6, "delay"))*1_000_000
	}
	if oneOf(rt, 6, "expires") {
		c.ExpiresAt = m.now + schema.Time(1+below(rt, 8, "expiry"))*1_000_000
	}
	if oneOf(rt, 3, "grouped") {
		c.Group = fmt.Sprint("g", below(rt, 3, "group"))
	}
	if oneOf(rt, 4, "keyed") {
		c.Key = fmt.Sprint("k", below(rt, 2, "key"))
	}
	for i := range 2 {
		if oneOf(rt, 4, "needs") {
			if c.Needs == nil {
				c.Needs = map[string]int64{}
			}
			c.Needs[fmt.Sprint("r", i)] = int64(1 + below(rt, 3, "amount"))
		}
	}
	if oneOf(rt, 4, "placed") {
		c.On = map[string]string{"p": fmt.Sprint(below(rt, 2, "place"))}
	}
	for range below(rt, 3, "after") {
		if d := (schema.Dependency{ID: m.someOther(rt), On: schema.On(below(rt, 3, "on"))}); d.ID != uuid.Nil && !slices.ContainsFunc(c.After, func(o schema.Dependency) bool { return o.ID == d.ID }) {
			c.After = append(c.After, d)
		}
	}
	if oneOf(rt, 4, "retried") {
		c.Retry = &schema.Retry{MaxAttempts: 3, DelayMs: new(int64(1000)), Factor: 2, MaxDelayMs: 9000, Jitter: new(0.5)}
	}
	if oneOf(rt, 4, "deduped") {
		on := []schema.DedupeOn{"", schema.DedupeReject, schema.DedupeReplace}[below(rt, 3, "dedupe")]
		c.Dedupe = &schema.Dedupe{Key: fmt.Sprint("d", below(rt, 2, "dedupe key")), On: on}
		if on != schema.DedupeReplace {
			c.Dedupe.WindowMs = int64(below(rt, 2, "window") * 3000)
		}
	}
	if oneOf(rt, 3, "child") {
		c.Parent = m.someOther(rt)
	}
	return c
}

// someOther is one of the newest tasks, or the nil id.
func (m *twins) someOther(rt *rapid.T) uuid.UUID {
	if len(m.ids) == 0 {
		return uuid.Nil
	}
	return m.ids[len(m.ids)-1-below(rt, min(len(m.ids), 8), "other")]
}

func (m *twins) Submit(rt *rapid.T) {
	all := make([]executor.Submission, 1+below(rt, 3, "more"))
	whole := oneOf(rt, 4, "all or none")
	dry := oneOf(rt, 8, "dry")
	for i := range all {
		all[i] = m.submission(rt)
		if !dry {
			m.ids = append(m.ids, all[i].ID)
		}
	}
	m.each(rt, func(c *copied) any {
		submit := c.Submit
		switch {
		case dry:
			submit = c.DryRun
		case whole:
			submit = c.SubmitAll
		}
		answers, err := submit(context.Background(), slices.Clone(all))
		require.NoError(rt, err)
		return answers
	})
}

func (m *twins) Join(rt *rapid.T) {
	if len(m.all[0].held.Claimers) == 4 {
		rt.Skip("there are enough")
	}
	o := executor.Offer{Types: rapid.SampledFrom([][]string{nil, {}, {"t0"}, {"t1", "t0"}, {"t2"}}).Draw(rt, "types")}
	if oneOf(rt, 2, "limited") {
		o.Limits = executor.TypeLimits{"t0": 1, "t1": 2}
	}
	if !oneOf(rt, 3, "nowhere") {
		o.Labels = map[string]string{"p": fmt.Sprint(below(rt, 2, "place"))}
	}
	m.each(rt, func(c *copied) any {
		joined, err := c.Join(context.Background(), o)
		require.NoError(rt, err)
		c.held.Claimers = append(c.held.Claimers, joined)
		return nil
	})
}

func (m *twins) Leave(rt *rapid.T) {
	if !oneOf(rt, 3, "leaves") {
		return
	}
	n := m.claimer(rt)
	m.each(rt, func(c *copied) any {
		c.held.Claimers[n].Leave()
		c.held.Claimers = slices.Delete(c.held.Claimers, n, n+1)
		return nil
	})
}

func (m *twins) claimer(rt *rapid.T) int {
	if len(m.all[0].held.Claimers) == 0 {
		rt.Skip("nobody has joined")
	}
	return below(rt, len(m.all[0].held.Claimers), "claimer")
}

func (m *twins) Take(rt *rapid.T) {
	n := m.claimer(rt)
	m.each(rt, func(c *copied) any {
		l := c.Take(c.held.Claimers[n])
		if l == nil {
			return nil
		}
		c.held.Leases = append(c.held.Leases, l)
		return *l.Record()
	})
}

func (m *twins) lease(rt *rapid.T) int {
	if len(m.all[0].held.Leases) == 0 {
		rt.Skip("nothing runs")
	}
	return below(rt, len(m.all[0].held.Leases), "lease")
}

func (m *twins) drop(c *copied, n int) { c.held.Leases = slices.Delete(c.held.Leases, n, n+1) }

func (m *twins) Work(rt *rapid.T) {
	n := m.lease(rt)
	what, size := below(rt, 4, "what"), 1+below(rt, 90, "size")
	stream := schema.Stream(below(rt, 3, "stream"))
	m.begun[m.all[0].held.Leases[n]] = true
	m.each(rt, func(c *copied) any {
		l := c.held.Leases[n]
		switch what {
		case 0:
			return l.Started(7)
		case 1:
			return l.Progress(schema.Progress{Value: float64(size), Total: 100, Unit: "u"})
		}
		return l.Write(stream, bytes.Repeat([]byte("abcdefg"), size)[:size])
	})
}

func (m *twins) End(rt *rapid.T) {
	n := m.lease(rt)
	first := m.all[0].held.Leases[n]
	how, release := below(rt, 6, "how"), oneOf(rt, 2, "release")
	failure := &schema.TaskError{Kind: schema.KindTaskError, Message: "it is so"}
	at := m.now + schema.Time(below(rt, 3, "at"))*1_000_000
	m.each(rt, func(c *copied) any {
		l := c.held.Leases[n]
		var said error
		recorded := func(err error) { said = err }
		switch {
		case how == 0:
			l.Retry(&executor.NextAttempt{At: at, Error: failure}, recorded)
		case how == 1:
			l.Retry(&executor.NextAttempt{At: at, Rerun: true}, recorded)
		case how == 2:
			l.Finish(executor.Outcome{State: schema.Failed, Error: failure}, recorded)
		case how == 3 && !m.begun[first] && !m.ended[first]:
			c.Return(l)
			m.drop(c, n)
			return nil
		case how == 4:
			c.Interrupt(l)
			m.drop(c, n)
			return nil
		default:
			l.Finish(executor.Outcome{State: schema.Completed, Result: bytes.Repeat([]byte("r"), 1+100*how)}, recorded)
		}
		if release {
			l.Release()
			m.drop(c, n)
		}
		return said
	})
	m.ended[first] = true
}

func (m *twins) Release(rt *rapid.T) {
	n := m.lease(rt)
	if !m.ended[m.all[0].held.Leases[n]] {
		rt.Skip("it runs")
	}
	m.each(rt, func(c *copied) any {
		c.held.Leases[n].Release()
		m.drop(c, n)
		return nil
	})
}

func (m *twins) Cancel(rt *rapid.T) {
	ids := []uuid.UUID{m.someID(rt), m.someID(rt)}
	m.each(rt, func(c *copied) any {
		answers, err := c.Cancel(context.Background(), ids, executor.Cancellation{Reason: "so"})
		require.NoError(rt, err)
		return answers
	})
}

func (m *twins) Update(rt *rapid.T) {
	id := m.someID(rt)
	u := &executor.Update{}
	switch below(rt, 5, "what") {
	case 0:
		u.Priority = new(int8(below(rt, 3, "priority")))
	case 1:
		u.RunAt = new(m.now + schema.Time(below(rt, 4, "at"))*1_000_000)
	case 2:
		u.ExpiresAt = new(m.now + schema.Time(1+below(rt, 4, "expires"))*1_000_000)
	case 3:
		u.Labels = map[string]string{"of": "u"}
	case 4:
		u.Group = new(fmt.Sprint("g", below(rt, 3, "group")))
	}
	m.each(rt, func(c *copied) any {
		t, err := c.Update(context.Background(), id, u)
		return []any{t, err}
	})
}

func (m *twins) Set(rt *rapid.T) {
	what := below(rt, 8, "what")
	group := fmt.Sprint("g", below(rt, 3, "group"))
	n := below(rt, 3, "n")
	m.each(rt, func(c *copied) any {
		switch what {
		case 0:
			return c.SetGroup(context.Background(), group, plan.Settings{Limit: n})
		case 1, 2:
			return c.SetGroup(context.Background(), group, plan.Settings{Rate: plan.Rate{Count: 1 + n, Per: 3 * time.Second}, Defaults: "d"})
		case 3:
			return c.SetGroup(context.Background(), group, plan.Settings{Paused: n == 0})
		case 4:
			return c.Pause(context.Background(), n == 0)
		case 5:
			return c.SetSchedules(context.Background(), executor.ScheduleText{Name: group, Text: [][]byte{nil, []byte("a"), []byte("b")}[n]})
		case 6:
			c.Configure(memory.Options{Resources: map[string]int64{"r0": int64(n), "r1": 2}})
		case 7:
			c.Configure(memory.Options{Keep: 3 + n*4, KeepBytes: 2000, KeepIDs: 1 + n*300})
		}
		c.Tell()
		return nil
	})
}

func (m *twins) Pass(rt *rapid.T) {
	m.now += schema.Time(below(rt, 3, "seconds"))*1_000_000 + 100_000
	m.each(rt, func(c *copied) any { c.Tell(); return nil })
}

// Copy puts a replica in the place of the second that is made of a snapshot of the first.
func (m *twins) Copy(rt *rapid.T) {
	one := m.all[0]
	written := one.snapshot(rt)
	require.NoError(rt, m.all[1].Close())
	r, held, err := memory.RestoreReplica(bytes.NewReader(written), func() {})
	require.NoError(rt, err)
	m.all[1] = newCopied(rt, r, held)
	require.Equal(rt, written, m.all[1].snapshot(rt), "the same bytes")
	m.compare(rt)
}

// Check compares all that is in a snapshot.
func (m *twins) Check(rt *rapid.T) {
	require.Equal(rt, m.all[0].snapshot(rt), m.all[1].snapshot(rt))
}

// compare compares all that can be read.
func (m *twins) compare(rt *rapid.T) {
	ctx := context.Background()
	m.each(rt, func(c *copied) any {
		var read []any
		note := func(v any, err error) { read = append(read, v, err) }
		for _, id := range m.ids {
			r, err := c.Get(ctx, id)
			note(r, err)
			for stream := range schema.StreamNames {
				p, err := c.Output(ctx, id, schema.Stream(stream), executor.OutputRange{Limit: 1000, Tail: -1})
				note(p, err)
			}
			l, err := c.List(ctx, executor.Filter{Parent: id}, executor.PageRequest{Limit: 10, Oldest: true})
			note(l, err)
		}
		l, err := c.List(ctx, executor.Filter{}, executor.PageRequest{Limit: 1000})
		note(l, err)
		g, err := c.Groups(ctx)
		note(g, err)
		s, err := c.Schedules(ctx)
		note(len(s), err)
		n, err := c.Counts(ctx)
		note(n.TaskCounts, err)
		ev, err := c.Replay(ctx, 0, 1<<40, 1000)
		note(ev, err)
		for _, claimer := range c.held.Claimers {
			n, err := claimer.Unclaimable(ctx, 0)
			note(n, err)
		}
		note(c.Options(), nil)
		return read
	})
}

// A replica that is made of a snapshot does what the other one does, whatever comes.
func TestSnapshotModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &twins{now: 1_000_000_000_000, begun: map[executor.Lease]bool{}, ended: map[executor.Lease]bool{}}
		for i := range m.all {
			m.all[i] = newCopied(rt, memory.NewReplica(func() {}), memory.Held{})
			m.all[i].Configure(memory.Options{Keep: 6, MaxOutput: 100, MaxQueued: 60, Resources: map[string]int64{"r0": 2, "r1": 3}})
		}
		actions := rapid.StateMachineActions(m)
		actions["Submit more"], actions["Take more"], actions["End more"] = m.Submit, m.Take, m.End
		rt.Repeat(actions)
		m.compare(rt)
		m.Copy(rt)
		rt.Repeat(actions)
		m.compare(rt)
		for _, c := range m.all {
			require.NoError(rt, c.Close())
		}
	})
}
