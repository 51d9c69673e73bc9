package inspect_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

func TestCheckFinds(t *testing.T) {
	sound, ids := sample(t)
	require.Empty(t, findings(t, sound))
	whole, err := os.ReadFile(sound)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		sql   string
		state func(*file.State)
		open  func(*file.OpenChanges)
		task  int // whose id is named; 0 is none
		says  []string
	}{
		"a changed task":        {sql: "UPDATE task SET priority=9 WHERE ord=1", task: 1, says: []string{"row in the table task is wrong"}},
		"a changed small input": {sql: `UPDATE task SET input='{"a":2}' WHERE ord=1`, task: 1, says: []string{"row in the table task is wrong"}},
		"a changed large input": {sql: "UPDATE task SET input=replace(input,'x','y') WHERE ord=2", task: 2, says: []string{"row in the table task is wrong"}},
		"a changed end":         {sql: "UPDATE done SET finished=finished+1 WHERE ord=2", task: 2, says: []string{"row in the table done is wrong"}},
		"a changed result":      {sql: `UPDATE done SET result='{"b":3}' WHERE ord=1`, task: 1, says: []string{"row in the table done is wrong"}},
		"a changed attempt":     {sql: "UPDATE active SET attempt=5 WHERE ord=4", task: 4, says: []string{"row in the table active is wrong"}},
		"changed output":        {sql: "UPDATE output SET data=x'00' WHERE ord=1", task: 1, says: []string{"output is wrong: stdout from byte 0 on"}},
		"output of no stream":   {sql: "UPDATE output SET stream=5", task: 1, says: []string{"stream number 5"}},
		"a changed type":        {sql: "UPDATE type SET name='other'", says: []string{"table task is wrong"}},
		"no type":               {sql: "DELETE FROM type", says: []string{"row in the table task"}},
		"changed counters":      {sql: "UPDATE store SET seq=seq+1", says: []string{"the table store"}},
		"no counters":           {sql: "DELETE FROM store", says: []string{"the table store"}},
		"a task that ended and did not": {
			open: func(o *file.OpenChanges) { o.Add(1) }, task: 1,
			says: []string{"is noted in the table store as one that has none", "not final: the table store counts 2, the rows are 3"},
		},
		"a task that is lost": {
			open: func(o *file.OpenChanges) { o.Remove(5) }, task: 5,
			says: []string{"it has no end in the table done, and is not noted", "not final: the table store counts 2, the rows are 1"},
		},
		"a note of no task":       {open: func(o *file.OpenChanges) { o.Add(77) }, says: []string{"task number 77: there is no such task, but it is noted"}},
		"a changed note":          {sql: "UPDATE store SET open=zeroblob(256) WHERE one=2", says: []string{"the row of tasks number 0 to 1023 in the table store is wrong"}},
		"a note that is cut":      {sql: "UPDATE store SET open=x'20' WHERE one=2", says: []string{"the row of tasks number 0 to 1023 in the table store is wrong"}},
		"an attempt that is lost": {sql: "DELETE FROM active WHERE ord=4", task: 4, says: []string{"its row in the table active is not there"}},
		"an attempt too many": {
			sql: "INSERT INTO active SELECT 5, attempt, started, cancelled, reason, sum FROM active WHERE ord=4", task: 5,
			says: []string{"has a row in the table active, and is noted in the table store as one that has none", "row in the table active is wrong"},
		},
		"an attempt at what has ended": {
			sql: "INSERT INTO active SELECT 1, attempt, started, cancelled, reason, sum FROM active WHERE ord=4", task: 1,
			says: []string{"has a row in the table active, and is noted in the table store as one that has none"},
		},
		"a type that is lost":     {sql: "DELETE FROM typed", task: 1, says: []string{"no list finds it by its type"}},
		"a type too many":         {sql: "INSERT INTO typed VALUES(1,7)", says: []string{"in which there is no task of that type"}},
		"an end not found":        {sql: "DELETE FROM ended", task: 1, says: []string{"its end is not found by its event number"}},
		"a span of ends too many": {sql: "INSERT INTO ended VALUES(7,0)", says: []string{"in which there is no end"}},
		"an end of no task":       {sql: "UPDATE done SET ord=77 WHERE ord=1", says: []string{"a row of it in the table done"}},
		"an active row alone":     {sql: "UPDATE active SET ord=77 WHERE ord=4", says: []string{"a row of it in the table active"}},
		"a label of no task":      {sql: "INSERT INTO label VALUES('a','b',77)", says: []string{"task number 77: there is no such task, but a row of it in the table label"}},
		"output of no task":       {sql: "UPDATE output SET ord=77", says: []string{"a row of it in the table output", "checksum of its output"}},
		"a set clock too many":    {sql: "INSERT INTO clock VALUES(2)", task: 2, says: []string{"the table clock says that the clock was set back before it"}},
		"a set clock of no task":  {sql: "INSERT INTO clock VALUES(66)", says: []string{"the table clock has rows of tasks that never were: 1"}},
		"a label that is lost":    {sql: "DELETE FROM label WHERE name='team'", task: 1, says: []string{`label "team"`}},
		"a label too many":        {sql: "INSERT INTO label VALUES('a','b',1)", says: []string{"labels of tasks: the table label has 3, the tasks have 2"}},
		"an id that is too long":  {sql: "UPDATE task SET id=CAST(id||x'00' AS BLOB) WHERE ord=1", says: []string{"row in the table task"}},
		"a state of no end":       {sql: "UPDATE done SET state=9 WHERE ord=1", task: 1, says: []string{"it ended in state 9"}},
		"another table":           {sql: "CREATE TABLE more(a)", says: []string{"its tables are not those"}},
		"an index that is lost":   {sql: "DROP INDEX done_bad", says: []string{"its tables are not those"}},
		"the active count":        {state: func(st *file.State) { st.Active++ }, says: []string{"tasks that are not final: the table store counts 3, the rows are 2"}},
		"the completed count":     {state: func(st *file.State) { st.Completed-- }, says: []string{"completed tasks: the table store counts 0, the rows are 1"}},
		"the failed count":        {state: func(st *file.State) { st.Failed++ }, says: []string{"failed tasks: the table store counts 2, the rows are 1"}},
		"the cancelled count":     {state: func(st *file.State) { st.Cancelled++ }, says: []string{"cancelled tasks: the table store counts 2, the rows are 1"}},
		"the bytes":               {state: func(st *file.State) { st.Bytes++ }, says: []string{"bytes of finished tasks"}},
		"the reserved number":     {state: func(st *file.State) { st.Seq = 1 }, says: []string{"only those up to 1 were reserved"}},
		"the number of tasks":     {state: func(st *file.State) { st.Ord = 4 }, says: []string{"has the number 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			switch {
			case test.state != nil:
				editState(t, path, test.state)
			case test.open != nil:
				editOpen(t, path, test.open)
			default:
				edit(t, path, test.sql)
			}
			texts := findings(t, path)
			all := ""
			for _, text := range texts {
				all += text + "\n"
			}
			for _, says := range test.says {
				require.Contains(t, all, says)
			}
			if test.task > 0 {
				require.Contains(t, all, ids[test.task-1].String())
			}
		})
	}
}

// TestCheckFindsAttemptsThatAreWrong damages what is kept of attempts that others followed.
func TestCheckFindsAttemptsThatAreWrong(t *testing.T) {
	s, sound := open(t)
	waits, ended := claim(t, s), claim(t, s)
	again(t, waits)
	again(t, ended)
	_, err := s.Cancel(t.Context(), []uuid.UUID{ended.Record().ID}, executor.Cancellation{})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, sound))
	tasks, damaged := exports(t, sound, executor.Filter{})
	require.Empty(t, damaged)
	for i := range tasks {
		require.Len(t, tasks[i].Attempts, 1)
		require.Equal(t, "busy", tasks[i].Attempts[0].Error.Message)
	}
	whole, err := os.ReadFile(sound)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		sql, says string
		unread    bool
	}{
		"a changed time":         {"UPDATE retry SET history=replace(history,'T','t') WHERE ord=1", waits.Record().ID.String() + " (number 1): the checksum of its row in the table retry is wrong", true},
		"a changed error":        {"UPDATE retry SET history=replace(history,'busy','lazy') WHERE ord=2", ended.Record().ID.String() + " (number 2): the checksum of its row in the table retry is wrong", true},
		"no attempts":            {"DELETE FROM retry WHERE ord=1", waits.Record().ID.String() + " (number 1): it waits for its next attempt, and has no row in the table retry", true},
		"the attempts of no one": {"INSERT INTO retry SELECT 77, history, sum FROM retry WHERE ord=1", "task number 77: there is no such task, but a row of it in the table retry", false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			edit(t, path, test.sql)
			require.Contains(t, strings.Join(findings(t, path), "\n"), test.says)
			tasks, damaged := exports(t, path, executor.Filter{})
			require.Len(t, tasks, map[bool]int{true: 1, false: 2}[test.unread])
			require.Equal(t, test.unread, len(damaged) > 0)
		})
	}
}

// again ends an attempt that another one follows in an hour.
func again(t *testing.T, l executor.Lease) {
	t.Helper()
	recorded := make(chan error, 1)
	l.Retry(&executor.NextAttempt{At: schema.Now() + schema.Time(time.Hour.Microseconds()), Error: &schema.TaskError{Kind: schema.KindTaskError, Message: "busy"}}, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
}

// TestCheckFindsLostAttemptsOfATaskThatRuns loses what is kept of the attempts of a task that runs
// for the second time.
func TestCheckFindsLostAttemptsOfATaskThatRuns(t *testing.T) {
	s, path := open(t)
	r := newTask(func(r *executor.Submission) {
		r.Conditions = &schema.Conditions{Retry: &schema.Retry{MaxAttempts: 3, DelayMs: new(int64), Jitter: new(float64)}}
	})
	_, err := s.Submit(t.Context(), []executor.Submission{r})
	require.NoError(t, err)
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	recorded := make(chan error, 1)
	ended := executor.Ended{}
	for range 2 {
		l, err := c.Claim(t.Context(), ended)
		require.NoError(t, err)
		require.NoError(t, l.Started(0))
		ended = executor.Ended{Lease: l, Next: &executor.NextAttempt{At: schema.Now(), Error: &schema.TaskError{Kind: schema.KindExit}}, Recorded: func(err error) { recorded <- err }}
	}
	require.NoError(t, <-recorded)
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, path))
	edit(t, path, "DELETE FROM retry")
	require.Contains(t, strings.Join(findings(t, path), "\n"), r.ID.String()+" (number 1): it is in attempt 2, and has no row in the table retry")
}

// TestCheckFindsConditionsThatAreWrong damages the conditions of the first of two tasks, and the
// settings of groups.
func TestCheckFindsConditionsThatAreWrong(t *testing.T) {
	s, sound := open(t)
	first := newTask(func(r *executor.Submission) {
		r.Conditions = &schema.Conditions{Key: "k", Needs: map[string]int64{"gpu": 1}}
	})
	submit(t, s, first, newTask())
	require.NoError(t, s.SetGroup(t.Context(), "builds", plan.Settings{Limit: 2}))
	require.NoError(t, s.Pause(t.Context(), true))
	require.NoError(t, s.SetSchedules(t.Context(), executor.ScheduleText{Name: "nightly", Text: []byte(`{"cron":"30 2 * * *"}`)}))
	require.NoError(t, s.Close())
	require.Empty(t, findings(t, sound))
	tasks, damaged := exports(t, sound, executor.Filter{})
	require.Empty(t, damaged)
	require.Equal(t, first.Conditions, tasks[0].Conditions)
	whole, err := os.ReadFile(sound)
	require.NoError(t, err)
	for name, test := range map[string]struct {
		sql, says string
		unread    bool
	}{
		"changed conditions":        {"UPDATE condition SET conditions=replace(conditions,'1','2')", first.ID.String() + " (number 1): the checksum of its row in the table condition is wrong", true},
		"conditions of another":     {"UPDATE condition SET ord=2", "it has a row in the table condition, and its row in the table task says that it has no conditions", true},
		"no conditions":             {"DELETE FROM condition", "number 1): the checksum of its row in the table condition is wrong", true},
		"conditions of no task":     {"INSERT INTO condition SELECT 77, conditions, sum FROM condition", "task number 77: there is no such task, but a row of it in the table condition", false},
		"a task that has lost them": {"UPDATE task SET rerun=0 WHERE ord=1", "row in the table task is wrong", true},
		"a changed limit":           {"UPDATE groups SET settings='{}' WHERE name='builds'", `the row of the group "builds" in the table groups is not what was written`, false},
		"a changed name":            {"UPDATE groups SET name='other' WHERE name='builds'", `the row of the group "other" in the table groups is not what was written`, false},
		"a changed schedule":        {"UPDATE schedule SET schedule=replace(schedule,'2','3')", `the row of the schedule "nightly" in the table schedule is not what was written`, false},
		"a changed schedule name":   {"UPDATE schedule SET name='daily'", `the row of the schedule "daily" in the table schedule is not what was written`, false},
		"a changed pause":           {"UPDATE groups SET settings='{}' WHERE name=''", `the row of the group "" in the table groups is not what was written`, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			edit(t, path, test.sql)
			require.Contains(t, strings.Join(findings(t, path), "\n"), test.says)
			tasks, damaged := exports(t, path, executor.Filter{})
			require.Len(t, tasks, map[bool]int{true: 1, false: 2}[test.unread])
			require.Equal(t, test.unread, len(damaged) > 0)
			_, err := inspect.Inspect(t.Context(), path)
			require.NoError(t, err)
		})
	}
	copied := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, inspect.Backup(t.Context(), sound, copied, func(inspect.Finding) {}))
	require.Empty(t, findings(t, copied))
	again, err := openPath(t.Context(), copied)
	require.NoError(t, err)
	overview, err := again.Groups(t.Context())
	require.NoError(t, err)
	require.True(t, overview.Paused)
	require.Equal(t, plan.Settings{Limit: 2}, overview.Groups[0].Settings)
	schedules, err := again.Schedules(t.Context())
	require.NoError(t, err)
	require.Equal(t, []executor.ScheduleText{{Name: "nightly", Text: []byte(`{"cron":"30 2 * * *"}`)}}, schedules)
	require.NoError(t, again.Close())
}

// TestCheckFindsAClockThatIsWrong changes where the clock was set back, of tasks of which the
// third and the sixth are older than those before.
func TestCheckFindsAClockThatIsWrong(t *testing.T) {
	sound := filepath.Join(t.TempDir(), "tasks.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: sound, Keep: 2})
	require.NoError(t, err)
	now := schema.Now()
	for _, minutes := range []int64{0, 1, -9, -8, -7, -20, -19, -19, -18} {
		submit(t, s, newTask(func(r *executor.Submission) {
			r.CreatedAt = now + schema.Time(minutes*time.Minute.Microseconds())
		}))
	}
	require.NoError(t, s.Close())
	require.Equal(t, []int64{3, 6}, clock(t, sound))
	require.Empty(t, findings(t, sound))
	const none, many, never = "that is not in the table clock", "its time says that it was not", "tasks that never were: 1"
	for name, test := range map[string]struct {
		sql  string
		says []string
	}{
		"one is lost":           {"DELETE FROM clock WHERE ord=6", []string{"(number 6): the clock was set back before it, and " + none}},
		"all are lost":          {"DELETE FROM clock", []string{"(number 3): the clock was set back before it, and " + none, "(number 6): the clock was set back before it, and " + none}},
		"a changed bit":         {"UPDATE clock SET ord=ord|64 WHERE ord=6", []string{none, never}},
		"one is another's":      {"UPDATE clock SET ord=7 WHERE ord=6", []string{none, many}},
		"one too many":          {"INSERT INTO clock VALUES(8)", []string{"(number 8): the table clock says that the clock was set back before it, and " + many}},
		"one of the first":      {"INSERT INTO clock VALUES(1)", []string{many}},
		"one of no number":      {"INSERT INTO clock VALUES(-6)", []string{never}},
		"one of the next task":  {"INSERT INTO clock VALUES(10)", []string{never}},
		"a time that is unread": {"UPDATE task SET created=created+1 WHERE ord=6", []string{"row in the table task is wrong"}},
	} {
		t.Run(name, func(t *testing.T) {
			whole, err := os.ReadFile(sound)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "tasks.db")
			require.NoError(t, os.WriteFile(path, whole, 0o600))
			edit(t, path, test.sql)
			texts := findings(t, path)
			require.Len(t, texts, len(test.says), "%q", texts)
			for _, says := range test.says {
				require.Contains(t, strings.Join(texts, "\n"), says)
			}
		})
	}
}

// clock is what the table clock has.
func clock(t *testing.T, path string) (rows []int64) {
	t.Helper()
	c, err := file.Dial(file.URI(path, ""), sqlite3.OPEN_READONLY)
	require.NoError(t, err)
	require.NoError(t, c.Query("SELECT ord FROM clock ORDER BY ord", func(s *sqlite3.Stmt) error {
		rows = append(rows, s.ColumnInt64(0))
		return nil
	}))
	require.NoError(t, c.Close())
	return rows
}

// TestCheckKnowsWhatRetentionDoesToTheClock sets the clock at random, and has tasks end in
// another order than theirs: at every moment the check finds nothing.
func TestCheckKnowsWhatRetentionDoesToTheClock(t *testing.T) {
	random, path := newRandom(t), filepath.Join(t.TempDir(), "tasks.db")
	now := schema.Now()
	for range 8 {
		s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Keep: random.IntN(6)})
		require.NoError(t, err)
		for range 25 {
			if random.IntN(5) < 3 {
				submit(t, s, newTask(func(r *executor.Submission) {
					r.Priority = int8(random.IntN(5))
					r.CreatedAt = now + schema.Time(random.Int64N(4*file.ClockSlack))
				}))
			} else if counts, err := s.Counts(t.Context()); err == nil && counts.Queued > 0 {
				runOne(t, s, completed)
			}
			if random.IntN(4) == 0 {
				require.Empty(t, findings(t, path))
			}
		}
		require.NoError(t, s.Close())
		require.Empty(t, findings(t, path))
	}
}

// TestCheckFindsAnIndexThatIsWrong changes ends behind an index's back.
func TestCheckFindsAnIndexThatIsWrong(t *testing.T) {
	const swap = "PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql=replace(sql,'%s','%s') WHERE name='%s'"
	for name, test := range map[string]struct{ index, is, meanwhile, sql, says string }{
		"partial, an entry too many": {"done_bad", "state > 2", "state > 9", "DELETE FROM done WHERE ord=2", "the index done_bad has it in state 3"},
		"partial, one is missing": {
			"done_bad", "state > 2", "state > 9", "UPDATE done SET state=3 WHERE ord=1", "row 1 missing from index done_bad",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := sample(t)
			edit(t, path, fmt.Sprintf(swap, test.is, test.meanwhile, test.index))
			edit(t, path, test.sql)
			edit(t, path, fmt.Sprintf(swap, test.meanwhile, test.is, test.index))
			require.Contains(t, strings.Join(findings(t, path), "\n"), test.says)
		})
	}
}

// TestCheckFindsBadPages spoils each page in turn, and the check comes to its
// end. The second is SQLite's map of what points to which page, to move pages
// when the file shrinks: SQLite's check does not read all of it.
func TestCheckFindsBadPages(t *testing.T) {
	path, _ := sample(t)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	const page = 4096
	for at := 2 * page; at < len(whole); at += page {
		bad := append([]byte{}, whole...)
		for i := range page {
			bad[at+i] = 0xa5
		}
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		require.NotEmpty(t, findings(t, path), "page %d", at/page+1)
	}
}
