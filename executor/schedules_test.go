package executor_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/schema"
)

func napping(d time.Duration) schema.ScheduledSubmit {
	p := nap(d)
	return schema.ScheduledSubmit{Type: p.Type, Input: p.Input}
}

func nightly() schema.ScheduleParams {
	return schema.ScheduleParams{Name: "nightly", Cron: "30 2 * * *", TimeZone: "Europe/Berlin", Submit: napping(time.Second)}
}

// each is a schedule whose tasks sleep.
func each(every, sleep time.Duration) schema.ScheduleParams {
	return schema.ScheduleParams{Name: "each", EveryMs: every.Milliseconds(), Submit: napping(sleep)}
}

func (r *rig) schedule(p schema.ScheduleParams) schema.Schedule {
	r.Helper()
	made, err := r.Schedule(r.Context(), &p)
	require.NoError(r, err)
	return made
}

// scheduled is the schedule with the name.
func (r *rig) scheduled(name string) schema.Schedule {
	r.Helper()
	page, err := r.Schedules(r.Context(), "", 1000)
	require.NoError(r, err)
	i := slices.IndexFunc(page.Schedules, func(s schema.Schedule) bool { return s.Name == name })
	require.NotEqual(r, -1, i)
	return page.Schedules[i]
}

// tasksOf are the tasks of a schedule, the oldest first.
func (r *rig) tasksOf(name string) []schema.Task {
	r.Helper()
	page, err := r.List(r.Context(), executor.Filter{Labels: map[string]string{"schedule": name, "owner": "schedule"}}, executor.PageRequest{Oldest: true, Limit: 1000})
	require.NoError(r, err)
	return page.Tasks
}

// createdAt are the times at which tasks were submitted.
func createdAt(tasks []schema.Task) (all []string) {
	for i := range tasks {
		all = append(all, tasks[i].CreatedAt.Time().Format("01-02 15:04:05.000"))
	}
	return all
}

// keeping is a store that keeps what has ended for long.
func keeping() executor.Store { return memory.New(memory.Options{KeepFor: 1000 * time.Hour}) }

func TestANightlyTask(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, keeping, func(r *rig) {
		made := r.schedule(nightly())
		require.Equal(r, "2000-01-01T01:30:00.000000Z", made.NextAt.String())
		require.Nil(r, made.Last)
		r.pass(72 * time.Hour)
		tasks := r.tasksOf("nightly")
		require.Equal(r, []string{"01-01 01:30:00.000", "01-02 01:30:00.000", "01-03 01:30:00.000"}, createdAt(tasks))
		now := r.scheduled("nightly")
		require.Equal(r, tasks[2].ID, now.Last.ID)
		require.Equal(r, schema.Completed, *now.Last.State)
		require.Equal(r, "2000-01-03T01:30:00.000000Z", now.Last.DueAt.String())
		require.Equal(r, "2000-01-04T01:30:00.000000Z", now.NextAt.String())
		existed, err := r.Unschedule(r.Context(), "nightly")
		require.NoError(r, err)
		require.True(r, existed)
		existed, err = r.Unschedule(r.Context(), "nightly")
		require.NoError(r, err)
		require.False(r, existed)
		r.pass(72 * time.Hour)
		require.Len(r, r.tasksOf("nightly"), 3)
	})
}

func TestTasksThatOverlap(t *testing.T) {
	for policy, want := range map[schema.OverlapPolicy][]string{
		"":                    {"completed 10-35", "running 40-"},
		schema.OverlapSkip:    {"completed 10-35", "running 40-"},
		schema.OverlapQueue:   {"completed 10-35", "running 35-", "queued", "queued", "queued"},
		schema.OverlapReplace: {"cancelled 10-20", "cancelled 20-30", "cancelled 30-40", "cancelled 40-50", "running 50-"},
	} {
		withRig(t, executor.Options{Limit: 4}, func(r *rig) {
			p := each(10*time.Second, 25*time.Second)
			p.Overlap = policy
			begin := r.schedule(p).CreatedAt
			r.pass(51 * time.Second)
			var found []string
			for _, task := range r.tasksOf("each") {
				text := task.State.String()
				if task.StartedAt != 0 {
					text += fmt.Sprintf(" %d-", (task.StartedAt-begin)/1_000_000)
				}
				if task.FinishedAt != 0 {
					text += fmt.Sprintf("%d", (task.FinishedAt-begin)/1_000_000)
				}
				found = append(found, text)
			}
			require.Equal(r, want, found, policy)
			s := r.scheduled("each")
			if len(want) == 2 {
				require.Equal(r, begin+50_000_000, s.Skipped.DueAt)
				require.Contains(r, s.Skipped.Reason, "had not ended")
			} else {
				require.Nil(r, s.Skipped)
			}
		})
	}
}

// TestReplaceWaitsForTheEnd has a task that does not stop when it is replaced.
func TestReplaceWaitsForTheEnd(t *testing.T) {
	withRig(t, executor.Options{Limit: 4, Grace: time.Minute}, func(r *rig) {
		p := each(10*time.Second, 0)
		p.Overlap, p.Submit = schema.OverlapReplace, schema.ScheduledSubmit{Type: "deaf", Input: []byte(`{"ms":25000}`)}
		r.schedule(p)
		r.pass(31 * time.Second)
		tasks := r.tasksOf("each")
		require.Len(r, tasks, 3)
		require.Equal(r, schema.Running, tasks[0].State)
		require.NotZero(r, tasks[0].CancelRequestedAt)
		require.Equal(r, schema.Cancelled, tasks[1].State)
		require.Zero(r, tasks[1].StartedAt)
		require.Equal(r, []string{"dependency " + tasks[0].ID.String()}, r.waitsFor(tasks[2].ID), "the first has not ended")
		r.pass(5 * time.Second)
		r.inState(tasks[2].ID, schema.Running)
	})
}

// TestReplaceWaitsWhereTheSubmitHasFailed has the last task cancelled, and the submit of the next
// one fail at first: it still waits for the one that does not stop.
func TestReplaceWaitsWhereTheSubmitHasFailed(t *testing.T) {
	store := storetest.Faulty(newMemory()).Fail("Submit", 3)
	withStore(t, executor.Options{Limit: 4, Grace: time.Minute}, func() executor.Store { return store }, func(r *rig) {
		p := each(10*time.Second, 0)
		p.Overlap, p.Submit = schema.OverlapReplace, schema.ScheduledSubmit{Type: "deaf", Input: []byte(`{"ms":25000}`)}
		r.schedule(p)
		r.pass(33 * time.Second)
		tasks := r.tasksOf("each")
		require.Len(r, tasks, 3)
		require.Equal(r, 4, store.Calls("Submit"))
		require.Equal(r, schema.Running, tasks[0].State)
		require.Equal(r, []string{"dependency " + tasks[0].ID.String()}, r.waitsFor(tasks[2].ID), "the first has not ended")
	})
}

// restarted runs executors over one store, one after the other.
type restarted struct {
	*rig
	t     *testing.T
	store executor.Store
}

func (r *restarted) begin() {
	r.rig = newRig(r.t, executor.Options{Limit: 4}, r.store)
	ctx := context.WithoutCancel(r.t.Context()) // the test may be outside of the bubble
	go func() { r.over <- r.Executor.Run(ctx) }()
	synctest.Wait()
}

func (r *restarted) end() {
	r.Begin(executor.ShutdownInterrupt)
	<-r.over
}

func TestDueTimesThatWereMissed(t *testing.T) {
	for policy, want := range map[schema.MissedPolicy][]string{
		schema.MissedSkip: {"01-01 01:30:00.000", "01-05 01:30:00.000"},
		schema.MissedOne:  {"01-01 01:30:00.000", "01-04 12:00:00.000", "01-05 01:30:00.000"},
		schema.MissedAll:  {"01-01 01:30:00.000", "01-04 12:00:00.000", "01-04 12:00:00.000", "01-04 12:00:00.000", "01-05 01:30:00.000"},
	} {
		synctest.Test(t, func(t *testing.T) {
			store := keeping()
			r := &restarted{t: t, store: store}
			r.begin()
			p := nightly()
			p.Missed, p.Overlap = policy, schema.OverlapQueue
			r.schedule(p)
			r.pass(12 * time.Hour)
			r.end()
			time.Sleep(72 * time.Hour)
			r.begin()
			require.Equal(t, want[:len(want)-1], createdAt(r.tasksOf("nightly")), policy)
			if s := r.scheduled("nightly"); policy == schema.MissedSkip {
				require.Equal(t, "2000-01-04T01:30:00.000000Z", s.Skipped.DueAt.String())
				require.Contains(t, s.Skipped.Reason, "missed")
			} else {
				require.Equal(t, "2000-01-04T01:30:00.000000Z", s.Last.DueAt.String())
			}
			r.pass(24 * time.Hour)
			require.Equal(t, want, createdAt(r.tasksOf("nightly")), policy)
			r.end()
			require.NoError(t, store.Close())
		})
	}
}

// TestOneTaskForADueTimeThatIsNotRecorded lets the process end between the submit of a task and
// the record that its due time is decided, and a store that cannot record for a while.
func TestOneTaskForADueTimeThatIsNotRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := memory.New(memory.Options{})
		store := storetest.Faulty(inner)
		r := &restarted{t: t, store: store}
		r.begin()
		r.schedule(each(time.Hour, time.Second))
		store.Break("SetSchedules")
		r.pass(time.Hour + 30*time.Second)
		require.Len(t, r.tasksOf("each"), 1)
		require.Nil(t, r.scheduled("each").Last, "it is not recorded")
		require.Equal(t, 1, strings.Count(r.log.String(), "what is due cannot be submitted"), "it is said once")
		r.end()
		r.store = inner // the next process can record
		r.begin()
		r.pass(time.Minute)
		tasks := r.tasksOf("each")
		require.Len(t, tasks, 1)
		require.Equal(t, tasks[0].ID, r.scheduled("each").Last.ID)
		require.Equal(t, uuid.Version(8), tasks[0].ID.Version())
		r.pass(time.Hour)
		require.Len(t, r.tasksOf("each"), 2)
		r.end()
		require.NoError(t, store.Close())
	})
}

// TestATaskThatIsNotRecordedOverlaps has a task that runs, and that the schedule does not know of
// when the next one is due, or when the store can record again.
func TestATaskThatIsNotRecordedOverlaps(t *testing.T) {
	for _, wait := range []time.Duration{2*time.Hour + time.Second, time.Hour + 30*time.Minute} {
		store := storetest.Faulty(memory.New(memory.Options{}))
		withStore(t, executor.Options{Limit: 2}, func() executor.Store { return store }, func(r *rig) {
			begin := r.schedule(each(time.Hour, 150*time.Minute)).CreatedAt
			store.Break("SetSchedules")
			r.pass(wait)
			require.Len(r, r.tasksOf("each"), 1)
			store.Mend("SetSchedules")
			r.pass(2 * time.Second)
			now := r.scheduled("each")
			require.Equal(r, begin+3600*1_000_000, now.Last.DueAt)
			require.Equal(r, r.tasksOf("each")[0].ID, now.Last.ID)
			if wait < 2*time.Hour {
				require.Nil(r, now.Skipped, "there is a task for it")
			}
			r.pass(2*time.Hour + 5*time.Second - wait)
			require.Contains(r, r.scheduled("each").Skipped.Reason, "had not ended")
			require.Len(r, r.tasksOf("each"), 1)
		})
	}
}

func TestAFullQueueIsTriedAgain(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, func() executor.Store { return memory.New(memory.Options{MaxQueued: 1}) }, func(r *rig) {
		r.schedule(each(time.Hour, time.Second))
		r.pass(time.Hour - 10*time.Second)
		r.submit(nap(15 * time.Second))
		synctest.Wait()
		r.submit(nap(time.Second))
		r.pass(11 * time.Second)
		require.Empty(r, r.tasksOf("each"))
		r.pass(10 * time.Second)
		require.Len(r, r.tasksOf("each"), 1)
		require.Nil(r, r.scheduled("each").Skipped)
	})
}

// TestAScheduleThatFillsTheQueueCanBeChanged changes and removes one while the queue is full, and has
// no place for a task that is due.
func TestAScheduleThatFillsTheQueueCanBeChanged(t *testing.T) {
	withStore(t, executor.Options{Limit: 1}, func() executor.Store { return memory.New(memory.Options{MaxQueued: 1}) }, func(r *rig) {
		p := each(time.Hour, 5*time.Hour)
		p.Overlap = schema.OverlapQueue
		begin := r.schedule(p).CreatedAt
		r.pass(3*time.Hour + 5*time.Second)
		require.Len(r, r.tasksOf("each"), 2)
		p.Submit.Priority = new(1)
		changed := r.schedule(p)
		require.Equal(r, begin+3*3600*1_000_000, changed.Skipped.DueAt)
		require.Contains(r, changed.Skipped.Reason, "the queue was full")
		require.Equal(r, begin+4*3600*1_000_000, changed.NextAt)
		existed, err := r.Unschedule(r.Context(), "each")
		require.NoError(r, err)
		require.True(r, existed)
	})
}

func TestJitterAndUntil(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		p := each(time.Hour, time.Second)
		p.JitterMs, p.Submit.ExpireMs = 600_000, 1000
		p.Until = schema.Now() + 3*3600*1_000_000
		begin := r.schedule(p).CreatedAt
		idle, err := r.Idle(r.Context())
		require.NoError(r, err)
		require.False(r, idle, "02:30 must come")
		r.pass(10 * time.Hour)
		tasks := r.tasksOf("each")
		require.Len(r, tasks, 3)
		delays := map[schema.Time]bool{}
		for i := range tasks {
			require.Equal(r, schema.Completed, tasks[i].State, "it expires later, too")
			delay := tasks[i].StartedAt - begin - schema.Time(i+1)*3600*1_000_000
			require.True(r, 0 <= delay && delay < 600*1_000_000, "%v", delay)
			delays[delay] = true
		}
		require.Len(r, delays, 3)
		require.Zero(r, r.scheduled("each").NextAt)
		idle, err = r.Idle(r.Context())
		require.NoError(r, err)
		require.True(r, idle)
	})
}

func TestAScheduleThatIsChanged(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		made := r.schedule(each(time.Hour, time.Second))
		r.pass(90 * time.Minute)
		require.Equal(r, made.NextAt+3600*1_000_000, r.schedule(each(time.Hour, time.Second)).NextAt, "nothing changes")
		other := each(time.Hour, 2*time.Second)
		changed := r.schedule(other)
		require.Equal(r, made.CreatedAt, changed.CreatedAt)
		require.Equal(r, made.NextAt+3600*1_000_000, changed.NextAt, "its hours are as they were")
		require.Equal(r, r.tasksOf("each")[0].ID, changed.Last.ID)
		other = each(40*time.Minute, time.Second)
		require.Equal(r, schema.Now()+40*60*1_000_000, r.schedule(other).NextAt, "from now on")
		r.pass(40 * time.Minute)
		require.Len(r, r.tasksOf("each"), 2)
	})
}

func TestSchedulesThatAreRefused(t *testing.T) {
	o := secretive()
	o.Types = append(o.Types, padded)
	withStore(t, o, newMemory, func(r *rig) {
		for pointer, change := range map[string]func(p *schema.ScheduleParams){
			"/name":                   func(p *schema.ScheduleParams) { p.Name = "" },
			"/name ":                  func(p *schema.ScheduleParams) { p.Name = "a\rb" },
			"/cron":                   func(p *schema.ScheduleParams) { p.Cron = "0 0 30 2 *" },
			"/everyMs":                func(p *schema.ScheduleParams) { p.EveryMs = 1000 },
			"/timeZone":               func(p *schema.ScheduleParams) { p.TimeZone = "Europe/Atlantis" },
			"/missed":                 func(p *schema.ScheduleParams) { p.Missed = schema.MissedAll },
			"/jitterMs":               func(p *schema.ScheduleParams) { p.JitterMs = 1 + executor.MaxJitter.Milliseconds() },
			"/submit/labels/schedule": func(p *schema.ScheduleParams) { p.Submit.Labels = map[string]string{"schedule": "x"} },
			"/submit/needs/gpu":       func(p *schema.ScheduleParams) { p.Submit.Needs = map[string]int64{"gpu": 1} },
			"/submit/input/ms":        func(p *schema.ScheduleParams) { p.Submit.Input = []byte(`{"ms":"x"}`) },
			"/submit/input": func(p *schema.ScheduleParams) {
				p.Submit = schema.ScheduledSubmit{Type: "login", Input: []byte(`{"password":"x"}`)}
			},
		} {
			p := nightly()
			change(&p)
			_, err := r.Schedule(r.Context(), &p)
			var refused *executor.InputError
			require.ErrorAs(r, err, &refused, pointer)
			require.Equal(r, strings.TrimSpace(pointer), refused.Violations[0].Pointer)
		}
		p := nightly()
		p.Submit.Type = "nip"
		_, err := r.Schedule(r.Context(), &p)
		require.ErrorContains(r, err, "nip")
		p = nightly()
		p.Submit.Input = []byte(`{"pad":"` + strings.Repeat("x", executor.MaxScheduleBytes) + `"}`)
		p.Submit.Type = "padded"
		_, err = r.Schedule(r.Context(), &p)
		var tooLarge *executor.TooLargeError
		require.ErrorAs(r, err, &tooLarge)
		for i := range executor.MaxSchedules {
			p := nightly()
			p.Name = fmt.Sprint("n", i)
			r.schedule(p)
		}
		p = nightly()
		_, err = r.Schedule(r.Context(), &p)
		require.ErrorAs(r, err, &tooLarge)
		p.Name = "n7"
		r.schedule(p)
		page, err := r.Schedules(r.Context(), "n99", 7)
		require.NoError(r, err)
		require.Len(r, page.Schedules, 7)
		require.Equal(r, "n990", page.Schedules[0].Name)
		require.Equal(r, "n996", page.NextCursor)
		r.pass(4 * time.Hour)
		require.Len(r, r.tasksOf("n7"), 1)
	})
}

// padded is a type whose inputs may be long.
var padded = executor.MustDefine("padded", func(_ context.Context, in struct {
	Pad string `json:"pad"`
}) (struct{}, error) {
	return struct{}{}, nil
})

// TestALargeScheduleHoldsUpNoOther has a schedule that is as long as one can be. What becomes of its
// tasks is recorded with it, and with that of others that are due together.
func TestALargeScheduleHoldsUpNoOther(t *testing.T) {
	withStore(t, executor.Options{Limit: 4, Types: []executor.Type{padded}}, keeping, func(r *rig) {
		fits := func(pad int) error {
			p := each(time.Hour, time.Second)
			p.Name, p.Submit.Type, p.Submit.Input = "large", "padded", []byte(`{"pad":"`+strings.Repeat("x", pad)+`"}`)
			_, err := r.Schedule(r.Context(), &p)
			return err
		}
		longest := sort.Search(executor.MaxScheduleBytes, func(pad int) bool { return fits(pad) != nil }) - 1
		require.NoError(r, fits(longest))
		r.schedule(each(time.Hour, time.Second))
		r.pass(3*time.Hour + 90*time.Second)
		for _, name := range []string{"large", "each"} {
			require.Len(r, r.tasksOf(name), 3, name)
			last := r.scheduled(name).Last
			require.NotNil(r, last, name)
			require.Equal(r, r.tasksOf(name)[2].ID, last.ID)
		}
		require.NotContains(r, r.log.String(), "tried again and again")
	})
}

// TestSchedulesThatALaterProcessCannotRun has one in a time zone that is not known any more, one
// of a type that is not offered any more, and one whose text is of a later version.
func TestSchedulesThatALaterProcessCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		set := func(name, text string) {
			require.NoError(t, store.SetSchedules(t.Context(), executor.ScheduleText{Name: name, Text: []byte(text)}))
		}
		set("atlantis", `{"name":"atlantis","cron":"@daily","timeZone":"Europe/Atlantis","submit":{"type":"nap"},"decided":"2000-01-01T00:00:00Z"}`)
		set("later", `[7]`)
		set("other", `{"name":"other","everyMs":1000,"submit":{"type":"gone"},"since":"2000-01-01T00:00:00Z","decided":"2000-01-01T00:00:00Z"}`)
		r := &restarted{t: t, store: store}
		r.begin()
		r.pass(1500 * time.Millisecond)
		require.Contains(t, r.scheduled("atlantis").Fault, "Europe/Atlantis")
		require.NotEmpty(t, r.scheduled("later").Fault)
		other := r.scheduled("other")
		require.Empty(t, other.Fault)
		require.Nil(t, other.Last)
		require.Equal(t, "2000-01-01T00:00:01.000000Z", other.Skipped.DueAt.String())
		require.Contains(t, other.Skipped.Reason, "gone")
		for _, name := range []string{"atlantis", "later"} { // they can be made anew, and removed
			p := nightly()
			p.Name = name
			require.NotZero(t, r.schedule(p).NextAt)
		}
		existed, err := r.Unschedule(t.Context(), "later")
		require.NoError(t, err)
		require.True(t, existed)
		r.end()
		require.NoError(t, store.Close())
	})
}
