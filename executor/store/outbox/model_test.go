package outbox_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// machine is what a client was told, and the processes that told it.
type machine struct {
	world *world
	disk  *disk
	alive *started

	accepted []uuid.UUID             // in order
	after    map[uuid.UUID]uuid.UUID // what a task comes after; of the nil id nobody knows
	expires  map[uuid.UUID]bool
	dropped  map[uuid.UUID]bool // cancelled before the queue has seen it
	resent   map[uuid.UUID]bool
	perhaps  map[uuid.UUID]bool // the answer to its submit was an error that leaves that open
	unclear  map[uuid.UUID]bool // the answer to its cancel was such an error
}

func (m *machine) post(t *rapid.T) {
	var all []executor.Submission
	for range rapid.IntRange(1, 3).Draw(t, "tasks") {
		one := task()
		if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
			expires(time.Duration(rapid.IntRange(1, 5000).Draw(t, "expires in ms")) * time.Millisecond)(&one)
			m.expires[one.ID] = true
			all = append(all, one)
			continue
		}
		all = append(all, one)
		if rapid.IntRange(0, 3).Draw(t, "after") > 0 {
			continue
		}
		before := uuid.Nil
		if len(m.accepted) > 0 && rapid.Bool().Draw(t, "known") {
			before = rapid.SampledFrom(m.accepted).Draw(t, "before")
		}
		m.after[one.ID] = before
		all[len(all)-1].Conditions = &schema.Conditions{After: []schema.Dependency{{ID: before, On: schema.OnFinish}}}
	}
	answers, err := m.alive.Post(context.Background(), all)
	for i := range all {
		id := all[i].ID
		switch {
		case err != nil:
			require.True(t, m.alive.life.isDead() || m.disk.isFull(), "%v: %v", id, err)
			m.perhaps[id] = true
		case answers[i].Err != nil:
			require.True(t, m.orphan(id), "%v: %v", id, answers[i].Err)
		default:
			m.accepted = append(m.accepted, id)
		}
	}
}

// orphan reports whether the queue may know nothing of what a task comes after.
func (m *machine) orphan(id uuid.UUID) bool {
	before, waits := m.after[id]
	return waits && (before == uuid.Nil || m.expires[before] || m.dropped[before] || m.unclear[before] || m.orphan(before))
}

func (m *machine) cancel(t *rapid.T) {
	if len(m.accepted) == 0 {
		return
	}
	id := rapid.SampledFrom(m.accepted).Draw(t, "cancel")
	answers, err := m.alive.Cancel(context.Background(), []uuid.UUID{id}, executor.Cancellation{})
	seen := slices.Contains(m.world.recordedIDs(), id)
	done := err == nil && answers[0].Err == nil && answers[0].Outcome == schema.OutcomeCancelled && !seen
	if unclear := err == nil && errors.Is(answers[0].Err, executor.ErrOutcomeUnknown); done || unclear {
		m.dropped[id], m.unclear[id] = done, unclear
	}
}

func (m *machine) restart() {
	m.alive.stop()
	m.alive = start(m.disk, m.world, forever())
}

// actions are what happens to the outbox and to the world around.
func (m *machine) actions() map[string]func(*rapid.T) {
	lives := func(f func(*rapid.T)) func(*rapid.T) {
		return func(t *rapid.T) {
			if m.alive.life.isDead() {
				t.Skip("the process is dead")
			}
			f(t)
		}
	}
	return map[string]func(*rapid.T){
		"post":   lives(m.post),
		"cancel": lives(m.cancel),
		"resend": lives(func(*rapid.T) {
			entries, _, _ := m.alive.Entries("", 1000)
			if _, err := m.alive.Resend(nil); err == nil {
				for _, e := range entries {
					m.resent[e.ID] = true
				}
			}
		}),
		"cut":  func(*rapid.T) { m.world.cut() },
		"mend": func(*rapid.T) { m.world.mend() },
		"fate": func(t *rapid.T) {
			m.world.next(rapid.SampledFrom([]fate{answered, notDone, lost, recorded, late}).Draw(t, "fate"))
		},
		"die": lives(func(t *rapid.T) {
			m.alive.life.mu.Lock()
			defer m.alive.life.mu.Unlock()
			m.alive.life.left = rapid.IntRange(1, 8).Draw(t, "steps")
		}),
		"disk":    func(t *rapid.T) { m.disk.fill(rapid.Bool().Draw(t, "full")) },
		"restart": func(*rapid.T) { m.restart() },
		"wait":    func(t *rapid.T) { time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(t, "ms")) * time.Millisecond) },
		"":        m.check,
	}
}

func (d *disk) isFull() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

func (d *disk) fill(full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full = full
}

// check looks at what holds at any time.
func (m *machine) check(t *rapid.T) {
	order := m.world.recordedIDs()
	once := map[uuid.UUID]bool{}
	for _, id := range order {
		require.False(t, once[id], "%v is recorded once", id)
		require.False(t, m.dropped[id], "%v was cancelled before it was sent", id)
		require.True(t, m.perhaps[id] || slices.Contains(m.accepted, id), "%v was submitted", id)
		once[id] = true
	}
	place := map[uuid.UUID]int{}
	for i, id := range m.accepted {
		place[id] = i
	}
	last := -1
	for _, id := range order {
		if at, known := place[id]; known && !m.resent[id] {
			require.Greater(t, at, last, "%v is in its place", id)
			last = at
		}
	}
}

// settle lets all be well, and looks what has become of each task.
func (m *machine) settle(t *rapid.T) {
	m.disk.fill(false)
	m.world.mu.Lock()
	m.world.fates = nil
	m.world.mu.Unlock()
	m.world.mend()
	m.restart()
	time.Sleep(time.Minute)
	m.check(t)
	refused := map[uuid.UUID]bool{}
	for _, e := range m.disk.read() {
		require.NotEmpty(t, e.Refused, "%v waits for nothing", e.Record.ID)
		refused[e.Record.ID] = true
	}
	require.Equal(t, schema.OutboxState{File: "/home/ada/outbox.db", Refused: len(refused)}, m.alive.State())
	recorded := map[uuid.UUID]bool{}
	for _, id := range m.world.recordedIDs() {
		recorded[id] = true
	}
	for _, id := range m.accepted {
		switch {
		case m.dropped[id]:
			require.False(t, refused[id] || recorded[id])
		case m.unclear[id]:
		case m.expires[id]:
			require.False(t, refused[id])
			if r, err := m.alive.Get(context.Background(), id); err == nil { // else an earlier process has told its end
				require.True(t, r.State.Final())
			}
		case m.orphan(id):
			require.True(t, refused[id] || recorded[id], "%v is not lost", id)
		default:
			require.True(t, recorded[id], "%v is recorded; refused: %v", id, refused[id])
			require.False(t, refused[id])
		}
	}
}

// Whatever happens to the connection, to the disk and to the processes: each submit that was answered is recorded
// once, in its place, or stays as refused, or expires; and what was cancelled in time is never recorded.
func TestOutboxStateMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := &machine{
				world: newWorld(memory.Options{}), disk: &disk{},
				after: map[uuid.UUID]uuid.UUID{}, expires: map[uuid.UUID]bool{}, dropped: map[uuid.UUID]bool{}, resent: map[uuid.UUID]bool{}, perhaps: map[uuid.UUID]bool{}, unclear: map[uuid.UUID]bool{},
			}
			m.alive = start(m.disk, m.world, forever())
			defer func() {
				m.alive.stop()
				_ = m.world.store.Close() // it is in memory
			}()
			actions := m.actions()
			actions["post again"], actions["and again"] = actions["post"], actions["post"] // as often as all that goes wrong
			t.Repeat(actions)
			m.settle(t)
		})
	})
}
