package plan_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// model says what a planner has to answer. It keeps all tasks in one list, and looks at
// every one of them for every answer.
type model struct {
	t         *rapid.T
	planner   *plan.Planner
	now       schema.Time
	order     uint64
	paused    bool
	all       []*modelled
	nodes     map[uuid.UUID]*plan.Node
	settings  map[string]plan.Settings
	starts    map[string][]schema.Time
	resources map[string]int64
	woken     bool // the planner has said that tasks may run
	nothing   bool // and had none to run when it was asked last
}

// modelled is a task, and where it is in its life.
type modelled struct {
	plan.Task
	state   schema.State
	running bool // it is taken, and not released
	held    bool // it is suspended
}

const (
	types  = 3
	groups = 3
	names  = 3
	places = 2
)

func newModel(t *rapid.T) *model {
	m := &model{
		t: t, planner: plan.New(), now: 1_000_000, settings: map[string]plan.Settings{}, starts: map[string][]schema.Time{},
		resources: map[string]int64{}, nodes: map[uuid.UUID]*plan.Node{},
	}
	for i := range names {
		name := fmt.Sprint("r", i)
		m.resources[name] = int64(2 + i)
		m.planner.SetResource(name, m.resources[name], m.now)
	}
	return m
}

func (m *model) below(n int, what string) int { return rapid.IntRange(0, n-1).Draw(m.t, what) }

func (m *model) oneIn(n int, what string) bool { return m.below(n, what) == 0 }

func (m *model) terms() *schema.Conditions {
	terms := &schema.Conditions{}
	if m.oneIn(3, "delayed") {
		terms.RunAt = m.now + schema.Time(m.below(5, "delay"))
	}
	if m.oneIn(5, "expires") {
		terms.ExpiresAt = m.now + schema.Time(1+m.below(8, "expiry"))
	}
	if m.oneIn(2, "grouped") {
		terms.Group = fmt.Sprint("g", m.below(groups, "group"))
	}
	if m.oneIn(3, "keyed") {
		terms.Key = fmt.Sprint("k", m.below(names, "key"))
	}
	for i := range names {
		if m.oneIn(4, "needs") {
			if terms.Needs == nil {
				terms.Needs = map[string]int64{}
			}
			terms.Needs[fmt.Sprint("r", i)] = int64(1 + m.below(4, "amount"))
		}
	}
	for i := range places {
		if m.oneIn(5, "placed") {
			if terms.On == nil {
				terms.On = map[string]string{}
			}
			terms.On[fmt.Sprint("p", i)] = "yes"
		}
	}
	for _, other := range m.all {
		if len(terms.After) < 3 && m.oneIn(6, "after") {
			on := schema.On(m.below(3, "on"))
			if !other.state.Final() || on.Met(other.state) {
				terms.After = append(terms.After, schema.Dependency{ID: other.ID, On: on})
			}
		}
	}
	return terms
}

func (m *model) isOpen(id uuid.UUID) bool { return !m.find(id).state.Final() }

func (m *model) find(id uuid.UUID) *modelled {
	return m.all[slices.IndexFunc(m.all, func(o *modelled) bool { return o.ID == id })]
}

// node is that of a task, or nil where it has ended.
func (m *model) node(id uuid.UUID) *plan.Node {
	if m.isOpen(id) && m.nodes[id] == nil {
		m.nodes[id] = &plan.Node{ID: id}
	}
	return m.nodes[id]
}

// Add adds a task.
func (m *model) Add(*rapid.T) {
	m.order++
	task := &modelled{Task: plan.Task{
		ID: uuid.UUID{15: byte(m.order), 14: byte(m.order >> 8)}, Type: fmt.Sprint("t", m.below(types, "type")),
		Priority: int8(m.below(3, "priority")), Order: m.order, Conditions: m.terms(),
	}}
	m.planner.Add(&task.Task, m.now, func(i int) *plan.Node { return m.node(task.Conditions.After[i].ID) })
	m.all = append(m.all, task)
	m.note()
}

// note takes in what has changed.
func (m *model) note() {
	for {
		changes := m.planner.Changes()
		m.woken = m.woken || changes.Ready > 0
		if len(changes.Ending) == 0 {
			return
		}
		for _, e := range changes.Ending {
			task := m.find(e.Task.ID)
			require.False(m.t, task.state.Final(), "%v ends twice", task.ID)
			require.True(m.t, m.causes(e.Cause, task), "%v ends because of %v", task.ID, e.Cause)
			require.False(m.t, task.held)
			if m.oneIn(4, "deferred") {
				m.planner.Defer(e)
				task.held = true
				continue
			}
			m.end(task, schema.Failed)
		}
	}
}

// causes reports whether a task must end because of another one, or, for the zero id,
// because it has expired.
func (m *model) causes(id uuid.UUID, task *modelled) bool {
	if id == uuid.Nil {
		return m.expired(task)
	}
	return slices.ContainsFunc(task.Conditions.After, func(d schema.Dependency) bool {
		if d.ID != id {
			return false
		}
		ended := m.find(id).state
		return ended.Final() && !d.On.Met(ended)
	})
}

func (m *model) expired(task *modelled) bool {
	return !task.Conditions.ExpiresAt.IsZero() && task.Conditions.ExpiresAt <= m.now
}

func (m *model) end(task *modelled, as schema.State) {
	task.state = as
	m.planner.Ended(task.ID, m.nodes[task.ID], as)
	delete(m.nodes, task.ID)
}

// Take takes the task that runs next.
func (m *model) Take(*rapid.T) {
	if task := m.next(m.every()); task != nil {
		m.planner.Take(m.peek(m.every()), m.now)
		task.state, task.running = schema.Running, true
		m.starts[task.Conditions.Group] = append(m.starts[task.Conditions.Group], m.now)
		m.note()
	}
}

// every takes every task.
func (m *model) every() plan.Taker {
	return plan.Taker{Types: func(string) bool { return true }, Labels: map[string]string{"p0": "yes", "p1": "yes"}}
}

// one takes some of the tasks.
func (m *model) one() plan.Taker {
	typ := fmt.Sprint("t", m.below(types, "taken"))
	return plan.Taker{
		Types:  func(name string) bool { return name != typ },
		Labels: map[string]string{fmt.Sprint("p", m.below(places, "place")): "yes", "other": "yes"},
	}
}

func takes(w plan.Taker, task *plan.Task) bool {
	for name, value := range task.Conditions.On {
		if w.Labels[name] != value {
			return false
		}
	}
	return w.Types(task.Type)
}

// some chooses one of the tasks for which is holds.
func (m *model) some(is func(*modelled) bool) *modelled {
	var found []*modelled
	for _, task := range m.all {
		if is(task) {
			found = append(found, task)
		}
	}
	if len(found) == 0 {
		m.t.Skip("there is none")
	}
	return found[m.below(len(found), "which")]
}

// Finish ends a task that runs, and releases what it has before or after that.
func (m *model) Finish(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.running })
	first := m.oneIn(2, "released first")
	if first {
		m.planner.Release(&task.Task, m.now)
	}
	m.end(task, schema.State(2+m.below(3, "state")))
	if !first {
		m.planner.Release(&task.Task, m.now)
	}
	task.running = false
	m.note()
}

// Retry ends an attempt of a task that runs, which waits for the time of the next one. What it has
// is released before or after that.
func (m *model) Retry(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.running })
	left := *task.Conditions
	left.RunAt, left.ExpiresAt, left.After = m.now+schema.Time(m.below(4, "delay")), 0, nil
	again := &modelled{Task: plan.Task{
		ID: task.ID, Type: task.Type, Priority: task.Priority, Order: task.Order, Attempt: task.Attempt + 1, Conditions: &left,
	}}
	first := m.oneIn(2, "released first")
	if first {
		m.planner.Release(&task.Task, m.now)
	}
	m.planner.Add(&again.Task, m.now, func(int) *plan.Node { return nil })
	if !first {
		m.planner.Release(&task.Task, m.now)
	}
	m.all[slices.Index(m.all, task)] = again
	m.note()
}

// Return puts a task back that runs. It ends if it has expired meanwhile.
func (m *model) Return(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.running })
	m.planner.Return(&task.Task, m.now)
	task.state, task.running = schema.Queued, false
	for m.planner.Advance(m.now, 1) {
	}
	m.note()
}

// Cancel ends a task that waits.
func (m *model) Cancel(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.state == schema.Queued })
	require.Equal(m.t, !task.held, task.Waits())
	m.planner.Remove(&task.Task)
	m.end(task, schema.Cancelled)
	task.held = false
	m.note()
}

// Suspend takes out a task that waits.
func (m *model) Suspend(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.state == schema.Queued })
	m.planner.Suspend(&task.Task)
	task.held = true
	m.note()
}

// Resume puts a task back. It has expired if its time has come meanwhile.
func (m *model) Resume(*rapid.T) {
	task := m.some(func(o *modelled) bool { return o.held })
	m.planner.Resume(&task.Task, m.now)
	task.held = false
	for m.planner.Advance(m.now, 1) {
	}
	m.note()
	require.False(m.t, task.state == schema.Queued && !task.held && m.doomed(task), "%v must end", task.ID)
}

// doomed reports whether a task must end because of another one.
func (m *model) doomed(task *modelled) bool {
	return slices.ContainsFunc(task.Conditions.After, func(d schema.Dependency) bool { return m.causes(d.ID, task) })
}

// Pass lets time pass.
func (m *model) Pass(*rapid.T) {
	m.now += schema.Time(1 + m.below(4, "time"))
	next := m.planner.Next()
	changes := false
	if m.oneIn(2, "peeked first") {
		if task := m.peek(m.every()); task != nil {
			require.False(m.t, m.expired(m.find(task.ID)), "%v has expired", task.ID)
		}
		m.note()
	}
	for m.planner.Advance(m.now, 1+m.below(3, "at most")) {
		changes = true
	}
	if changes {
		require.LessOrEqual(m.t, next, m.now)
	}
	if next = m.planner.Next(); !next.IsZero() {
		require.Greater(m.t, next, m.now)
	}
	m.note()
	for _, task := range m.all {
		require.False(m.t, task.state == schema.Queued && !task.held && m.expired(task), "%v has not expired", task.ID)
	}
}

// Set changes the settings of a group.
func (m *model) Set(*rapid.T) {
	name := fmt.Sprint("g", m.below(groups, "group"))
	s := plan.Settings{Limit: m.below(3, "limit"), Paused: m.oneIn(4, "paused")}
	if m.oneIn(3, "rated") {
		s.Rate = plan.Rate{Count: 1 + m.below(2, "count"), Per: time.Duration(1+m.below(4, "per")) * time.Microsecond}
	}
	if s.Rate != m.settings[name].Rate {
		m.starts[name] = nil
	}
	m.settings[name] = s
	m.planner.SetGroup(name, s, m.now)
	m.note()
}

// Provide changes how much there is of a resource.
func (m *model) Provide(*rapid.T) {
	name := fmt.Sprint("r", m.below(names, "resource"))
	m.resources[name] = int64(m.below(6, "total"))
	m.planner.SetResource(name, m.resources[name], m.now)
	m.note()
}

// Pause pauses everything, or lets it go on.
func (m *model) Pause(*rapid.T) {
	m.paused = !m.paused
	m.planner.Pause(m.paused)
	m.note()
}

// eligible reports whether a task waits for no other task and no time.
func (m *model) eligible(task *modelled) bool {
	if task.state != schema.Queued || task.held || task.Conditions.RunAt > m.now {
		return false
	}
	return !slices.ContainsFunc(task.Conditions.After, func(d schema.Dependency) bool { return m.isOpen(d.ID) })
}

// hasKey reports whether it is a task's turn among those of its key.
func (m *model) hasKey(task *modelled) bool {
	return task.Conditions.Key == "" || !slices.ContainsFunc(m.all, func(o *modelled) bool {
		return o.Conditions.Key == task.Conditions.Key && (o.running || o.Order < task.Order && m.eligible(o))
	})
}

func (m *model) groupOpen(name string) bool {
	s := m.settings[name]
	running, began := 0, 0
	for _, task := range m.all {
		if task.running && task.Conditions.Group == name {
			running++
		}
	}
	for _, at := range m.starts[name] {
		if at+schema.Time(s.Rate.Per.Microseconds()) > m.now {
			began++
		}
	}
	return !s.Paused && (s.Limit == 0 || running < s.Limit) && (s.Rate.Count == 0 || began < s.Rate.Count)
}

func (m *model) free(name string) int64 {
	free := m.resources[name]
	for _, task := range m.all {
		if task.running {
			free -= task.Conditions.Needs[name]
		}
	}
	return free
}

// possible reports whether there is ever enough of what a task needs.
func (m *model) possible(task *modelled) bool {
	for name, amount := range task.Conditions.Needs {
		if amount > m.resources[name] {
			return false
		}
	}
	return true
}

// next is the task that runs next.
func (m *model) next(w plan.Taker) *modelled {
	if m.paused {
		return nil
	}
	var candidates []*modelled
	for _, task := range m.all {
		if m.possible(task) && m.eligible(task) && m.hasKey(task) && m.groupOpen(task.Conditions.Group) && takes(w, &task.Task) {
			candidates = append(candidates, task)
		}
	}
	slices.SortFunc(candidates, func(a, b *modelled) int {
		if a.Priority != b.Priority {
			return int(b.Priority) - int(a.Priority)
		}
		return int(a.Order) - int(b.Order)
	})
	awaited := map[string]bool{} // by a task before
	for _, task := range candidates {
		short := false
		for name, amount := range task.Conditions.Needs {
			short = short || awaited[name] || amount > m.free(name)
		}
		if !short {
			return task
		}
		for name := range task.Conditions.Needs {
			awaited[name] = true
		}
	}
	return nil
}

// peek is the task that is to run next.
func (m *model) peek(w plan.Taker) *plan.Task {
	t, more := m.planner.Peek(w, m.now, 1000)
	require.False(m.t, more)
	return t
}

// Check compares the planner with the model.
func (m *model) Check(t *rapid.T) {
	want, got := m.next(m.every()), m.peek(m.every())
	if want == nil {
		require.Nil(t, got)
	} else {
		require.NotNil(t, got, "%v may run", want.ID)
		require.Equal(t, want.ID, got.ID)
		require.True(t, m.woken || !m.nothing, "nobody was told that %v may run", want.ID)
	}
	m.woken, m.nothing = false, got == nil
	m.checkOne(want)
	waiting := 0
	for _, task := range m.all {
		if task.state == schema.Queued && !task.held {
			waiting++
			m.checkWaiting(task)
		} else {
			require.Nil(t, m.planner.Waiting(&task.Task))
		}
		if task.state == schema.Queued && m.doomed(task) && !m.expired(task) {
			require.True(t, slices.ContainsFunc(task.Conditions.After, func(d schema.Dependency) bool {
				return m.planner.Dooms(d.ID, m.nodes[d.ID], m.find(d.ID).state)
			}), "the reason of the end of %v is to be kept", task.ID)
		}
		if task.state.Final() && m.planner.Dooms(task.ID, m.nodes[task.ID], task.state) {
			require.True(t, slices.ContainsFunc(m.all, func(o *modelled) bool {
				return o.state == schema.Queued && m.causes(task.ID, o)
			}), "nothing must end because of %v any more", task.ID)
		}
	}
	require.Equal(t, waiting, m.planner.Len())
	require.Zero(t, m.planner.Untaken(m.every()))
}

// checkOne asks for a task for one that takes some. first is the one that runs next of all. For its sake
// others may have to wait.
func (m *model) checkOne(first *modelled) {
	w := m.one()
	got := m.peek(w)
	switch {
	case first != nil && takes(w, &first.Task):
		require.Equal(m.t, first.ID, got.ID)
	case got != nil:
		require.True(m.t, takes(w, got))
		require.True(m.t, m.find(got.ID).state == schema.Queued)
	default:
		next := m.next(w)
		require.True(m.t, next == nil || len(next.Conditions.Needs) > 0, "%v may run", next)
	}
	left := 0
	for _, task := range m.all {
		if task.state == schema.Queued && !task.held && !takes(w, &task.Task) {
			left++
		}
	}
	require.Equal(m.t, left, m.planner.Untaken(w))
}

// checkWaiting holds what a task is said to wait for against the model. A task for which
// nothing is said waits for its turn alone.
func (m *model) checkWaiting(task *modelled) {
	all := m.planner.Waiting(&task.Task)
	free := m.eligible(task) && m.hasKey(task) && m.groupOpen(task.Conditions.Group) && m.possible(task) && !m.paused
	if len(all) == 0 {
		require.True(m.t, free)
	}
	for _, w := range all {
		require.NotEmpty(m.t, w.Message)
		switch w.Kind {
		case schema.WaitsForDependency:
			var open []uuid.UUID
			for _, d := range task.Conditions.After {
				if m.isOpen(d.ID) {
					open = append(open, d.ID)
				}
			}
			require.Equal(m.t, open, w.IDs)
			require.Equal(m.t, len(open), w.Count)
		case schema.WaitsForTime, schema.WaitsForRetry:
			require.Greater(m.t, w.Until, m.now)
			require.Equal(m.t, task.Attempt > 0, w.Kind == schema.WaitsForRetry)
		case schema.WaitsForKey:
			other := m.find(w.IDs[0])
			require.Equal(m.t, task.Conditions.Key, other.Conditions.Key)
			require.True(m.t, other.running || other.Order < task.Order)
			require.False(m.t, m.hasKey(task))
		case schema.WaitsForResume:
			require.True(m.t, w.Name == "" && m.paused || m.settings[w.Name].Paused)
		case schema.WaitsForGroup, schema.WaitsForRate:
			require.False(m.t, m.groupOpen(w.Name))
		case schema.WaitsForResource:
			require.Equal(m.t, m.free(w.Name), *w.Free)
			require.True(m.t, *w.Free < w.Amount || len(w.IDs) == 1)
		default:
			require.Fail(m.t, "unknown", w.Kind)
		}
	}
}

func TestPlannerIsAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(map[string]func(*rapid.T){
			"": m.Check, "Add": m.Add, "add": m.Add, "Take": m.Take, "take": m.Take, "Finish": m.Finish, "Retry": m.Retry, "Return": m.Return, "Cancel": m.Cancel,
			"Suspend": m.Suspend, "Resume": m.Resume,
			"Pass": m.Pass, "Set": m.Set, "Provide": m.Provide, "Pause": m.Pause,
		})
	})
}
