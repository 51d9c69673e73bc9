package executor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/schema"
)

// TestRandomDueTimes lets a schedule live through processes that end and begin, and through times in
// which the store takes no tasks, or does not record what was decided. So a process may end between
// the submit of a task and the record of its due time.
func TestRandomDueTimes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rapid.SyncTest(rt, func(rt *rapid.T) {
			m := newDueModel(t, rt)
			defer m.close()
			for range rapid.IntRange(3, 20).Draw(rt, "steps") {
				m.step(rt)
			}
			m.check(rt)
		})
	})
}

// dueModel is a schedule, and what is known of the times at which it could make tasks.
type dueModel struct {
	restarted
	faulty *storetest.FaultyStore
	every  time.Duration
	missed schema.MissedPolicy
	since  schema.Time
	up     bool
	broken map[string]bool // methods of the store
	worked []stretch
}

// stretch is a time in which a process could submit and record.
type stretch struct{ from, to schema.Time }

func newDueModel(t *testing.T, rt *rapid.T) *dueModel {
	store := storetest.Faulty(keeping())
	m := &dueModel{
		restarted: restarted{t: t, store: store}, faulty: store, broken: map[string]bool{}, up: true,
		every:  time.Duration(rapid.IntRange(3, 20).Draw(rt, "minutes")) * time.Minute,
		missed: rapid.SampledFrom([]schema.MissedPolicy{schema.MissedSkip, schema.MissedOne, schema.MissedAll}).Draw(rt, "missed"),
	}
	m.begin()
	p := each(m.every, time.Millisecond)
	p.Missed, p.Overlap = m.missed, schema.OverlapQueue
	m.since = m.schedule(p).CreatedAt
	m.wait(500 * time.Millisecond) // no step ends at a due time
	return m
}

func (m *dueModel) step(rt *rapid.T) {
	switch rapid.IntRange(0, 4).Draw(rt, "step") {
	case 0, 1:
		m.wait(time.Duration(rapid.IntRange(1, int(3*m.every/time.Second)).Draw(rt, "seconds")) * time.Second)
	case 2:
		m.turn(!m.up)
	case 3:
		m.damage("SetSchedules", !m.broken["SetSchedules"])
	case 4:
		m.damage("Submit", !m.broken["Submit"])
	}
}

// wait lets time pass, and notes it where the schedule could make tasks.
func (m *dueModel) wait(d time.Duration) {
	from := schema.Now()
	time.Sleep(d)
	synctest.Wait()
	if m.up && !m.broken["SetSchedules"] && !m.broken["Submit"] {
		if n := len(m.worked); n > 0 && m.worked[n-1].to == from {
			from, m.worked = m.worked[n-1].from, m.worked[:n-1]
		}
		m.worked = append(m.worked, stretch{from, schema.Now()})
	}
}

// turn begins or ends a process.
func (m *dueModel) turn(up bool) {
	switch {
	case up == m.up:
	case up:
		m.begin()
	default:
		m.restarted.end()
	}
	m.up = up
}

// damage breaks or mends a method of the store.
func (m *dueModel) damage(method string, broken bool) {
	switch {
	case broken == m.broken[method]:
	case broken:
		m.faulty.Break(method)
	default:
		m.faulty.Mend(method)
	}
	m.broken[method] = broken
}

// check lets the schedule work for a while, and compares its tasks with its due times.
func (m *dueModel) check(rt *rapid.T) {
	m.damage("SetSchedules", false)
	m.damage("Submit", false)
	m.turn(true)
	m.wait(m.every + 10*time.Second)
	tasks := m.tasksOf("each")
	ids := map[uuid.UUID]bool{}
	made := make([]int, (schema.Now()-m.since)/m.period()+1) // by due time: its number is that of the period that it begins
	for i := range tasks {
		ids[tasks[i].ID] = true
		require.True(rt, tasks[i].State.Final())
		late := (tasks[i].CreatedAt - m.since) % m.period()
		made[(tasks[i].CreatedAt-m.since)/m.period()]++
		if m.missed == schema.MissedSkip {
			require.LessOrEqual(rt, late, schema.Time(schedule.Tolerance.Microseconds()), "a due time that was missed has no task")
		}
	}
	require.Len(rt, ids, len(tasks))
	require.Zero(rt, made[0], "nothing is due before the first due time")
	if m.missed == schema.MissedAll {
		require.Len(rt, tasks, len(made)-1, "each due time has a task")
	} else {
		m.checkPeriods(rt, made[1:])
	}
}

func (m *dueModel) close() {
	m.turn(false)
	require.NoError(m.t, m.store.Close())
}

// checkPeriods holds how many tasks were made from each due time to the next one.
func (m *dueModel) checkPeriods(rt *rapid.T, made []int) {
	for i, n := range made {
		due := m.since + schema.Time(i+1)*m.period()
		require.LessOrEqual(rt, n, 1, "the due time %v has one task", due)
		if m.mustRun(due) {
			require.Equal(rt, 1, n, "the due time %v has a task", due)
		}
	}
}

// mustRun reports whether the schedule worked when a due time had to have a task. It tries again
// each second.
func (m *dueModel) mustRun(due schema.Time) bool {
	const soon = schema.Time(2_000_000)
	last := due + m.period()
	if m.missed == schema.MissedSkip {
		last = due + schema.Time(schedule.Tolerance.Microseconds())
	}
	for _, s := range m.worked {
		if max(s.from, due)+soon <= min(s.to, last) {
			return true
		}
	}
	return false
}

func (m *dueModel) period() schema.Time { return schema.Time(m.every.Microseconds()) }
