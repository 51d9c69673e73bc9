package storetest

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// views are the watchers of the model: one of everything, and one that owns
// tasks, follows some, and subscribes to others.
type views struct {
	all, some     executor.Watcher
	subscriptions map[executor.SubscriptionID]executor.Selector
	follows       []follow
	seq           uint64 // of the latest event
	started       map[uuid.UUID]int32
	ended         map[uuid.UUID]bool
	expected      [2][]happening // of all, and of some
}

// follow is a Follow that was not taken back.
type follow struct {
	id   uuid.UUID
	mask executor.EventMask
}

// happening is an event that a watcher must be sent.
type happening struct {
	id     uuid.UUID
	kind   executor.EventKind
	wanted bool
}

// watch begins to watch a store that was just opened.
func (m *model) watch(rt *rapid.T) {
	var err error
	m.all, err = m.store.Watch(context.Background())
	require.NoError(rt, err)
	m.some, err = m.store.Watch(context.Background())
	require.NoError(rt, err)
	_, seq := subscribed(m.t, m.all, executor.Selector{Events: executor.AllEvents})
	require.GreaterOrEqual(rt, seq, m.seq, "numbers never fall")
	m.seq = seq
	m.subscriptions, m.follows = map[executor.SubscriptionID]executor.Selector{}, nil
	if m.ended == nil {
		m.started, m.ended = map[uuid.UUID]int32{}, map[uuid.UUID]bool{}
	}
}

// expect notes an event of a task, and who must be sent it.
func (m *model) expect(t *modelTask, kind executor.EventKind) {
	m.expected[0] = append(m.expected[0], happening{t.ID, kind, true})
	wants := func(mask executor.EventMask, k executor.EventKind) bool { return mask.Has(k) }
	end := kind == executor.EventFinished
	wanted := wants(t.Events, kind)
	sent := wanted || end && wants(t.Events, executor.EventOutput)
	for _, s := range m.subscriptions {
		if !selects(&s, t) {
			continue
		}
		now := schema.Running
		if end || kind == executor.EventRetrying {
			now = t.State
		}
		if wants(s.Events, kind) && (len(s.States) == 0 || slices.Contains(s.States, now)) {
			wanted, sent = true, true
		}
		sent = sent || end && wants(s.Events, executor.EventOutput)
	}
	for _, f := range m.follows {
		sent = sent || f.id == t.ID && wants(f.mask, kind)
	}
	if sent {
		m.expected[1] = append(m.expected[1], happening{t.ID, kind, wanted})
	}
}

// selects reports whether a subscription is of the task.
func selects(s *executor.Selector, t *modelTask) bool {
	for key, value := range s.Labels {
		if t.Labels[key] != value {
			return false
		}
	}
	return (len(s.IDs) == 0 || s.IDs[t.ID]) && (len(s.Types) == 0 || s.Types[t.Type])
}

// told is what a watcher has been sent by now.
func (m *model) told(w executor.Watcher) (events []executor.Event) {
	ended, end := context.WithCancel(context.Background())
	end()
	for {
		more, err := w.Next(ended)
		if err != nil {
			return events
		}
		events = append(events, more...)
	}
}

// checkEvents compares what the watchers were sent.
func (m *model) checkEvents(rt *rapid.T) {
	for i, w := range []executor.Watcher{m.all, m.some} {
		var got []happening
		for _, ev := range m.unread(rt, m.store, w, 0) {
			got = append(got, happening{ev.ID, ev.Kind, ev.Wanted})
			if i == 0 {
				m.note(rt, &ev)
			}
		}
		require.Equal(rt, m.expected[i], got)
		m.expected[i] = nil
	}
}

// note checks an event, and keeps its number where it is one that is replayed.
func (m *model) note(rt *rapid.T, ev *executor.Event) {
	require.Greater(rt, ev.Seq, m.seq)
	m.seq = ev.Seq
	t := m.tasks[ev.ID]
	if ev.Kind == executor.EventStarted || ev.Kind == executor.EventFinished {
		t.seq = ev.Seq
	}
	require.False(rt, m.ended[ev.ID], "an event after the end")
	switch ev.Kind {
	case executor.EventStarted:
		require.Greater(rt, ev.Attempt, m.started[ev.ID], "an attempt starts once")
		m.started[ev.ID] = ev.Attempt
	case executor.EventFinished:
		require.Equal(rt, t.State, ev.Task.State)
		m.ended[ev.ID] = true
	default:
		require.Equal(rt, t.Attempt, m.started[ev.ID], "started comes first")
	}
}

func drawMask(rt *rapid.T) executor.EventMask {
	return executor.EventMask(rapid.IntRange(0, int(executor.AllEvents)).Draw(rt, "events"))
}

// Subscribe adds a subscription.
func (m *model) Subscribe(rt *rapid.T) {
	s := executor.Selector{Events: drawMask(rt), Labels: rapid.SampledFrom(modelLabels).Draw(rt, "labels")}
	if rapid.Bool().Draw(rt, "some ids") {
		s.IDs = map[uuid.UUID]bool{m.drawID(rt): true, m.drawID(rt): true, m.drawID(rt): true}
	}
	if rapid.Bool().Draw(rt, "some types") {
		s.Types = map[string]bool{rapid.SampledFrom([]string{"plain", "narrow"}).Draw(rt, "type"): true}
	}
	if rapid.Bool().Draw(rt, "some states") {
		s.States = rapid.SliceOfN(rapid.SampledFrom([]schema.State{0, 1, 2, 3, 4}), 1, 2).Draw(rt, "states")
	}
	id, seq := subscribed(m.t, m.some, s)
	require.Equal(rt, m.seq, seq)
	require.NotContains(rt, m.subscriptions, id)
	m.subscriptions[id] = s
}

// Unsubscribe ends one of the subscriptions, or none.
func (m *model) Unsubscribe(rt *rapid.T) {
	id := executor.SubscriptionID(rapid.IntRange(0, 5).Draw(rt, "subscription"))
	_, known := m.subscriptions[id]
	require.Equal(rt, known, m.some.Unsubscribe(id))
	delete(m.subscriptions, id)
}

// Follow follows a task that there is, or not.
func (m *model) Follow(rt *rapid.T) {
	f := follow{m.drawID(rt), drawMask(rt)}
	require.NoError(m.t, m.some.Follow(context.Background(), f.id, f.mask))
	m.follows = append(m.follows, f)
}

// Unfollow takes a Follow back.
func (m *model) Unfollow(rt *rapid.T) {
	if len(m.follows) == 0 {
		rt.Skip("it follows nothing")
	}
	i := rapid.IntRange(0, len(m.follows)-1).Draw(rt, "follow")
	m.some.Unfollow(m.follows[i].id, m.follows[i].mask)
	m.follows = slices.Delete(m.follows, i, i+1)
}
