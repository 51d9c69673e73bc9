package nats

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// check compares what everybody was told with what there is.
func (s *simulation) check() {
	late := s.joinLog(0, new(simCut)) // which begins with a snapshot
	s.stores = append(s.stores, late)
	for _, one := range s.stores {
		require.Equal(s, late.digest(s.T), one.digest(s.T), "all copies are equal")
	}
	s.checkCopies()
	for _, task := range s.tasks {
		r, err := late.Get(s.Context(), task.ID)
		there := err == nil
		require.True(s, there || errors.Is(err, executor.ErrNotFound), "%v", err)
		switch {
		case task.there && !there:
			require.Fail(s, "a submit that was answered is lost", "%v", task.ID)
		case task.refused && there:
			require.Fail(s, "a submit was told to have failed, and was done", "%v", task.ID)
		case task.made > 1:
			require.Fail(s, "a task was made twice", "%v", task.ID)
		case task.cancelled:
			require.Equal(s, schema.Cancelled, r.State, "it was told to be cancelled: %v", task.ID)
		}
		if there {
			s.checkRuns(late, task, &r)
		}
	}
}

// checkRuns compares the runs of a task with what is recorded of it.
func (s *simulation) checkRuns(one *Store, task *simTask, r *executor.Record) {
	runs := s.runs[task.ID]
	if !task.Rerun {
		require.LessOrEqual(s, len(runs), 1, "task %v may not run again", task.ID)
	}
	attempts := map[int32]bool{}
	written := s.output(one, task)
	for _, run := range runs {
		require.False(s, attempts[run.attempt], "attempt %d of task %v began twice", run.attempt, task.ID)
		attempts[run.attempt] = true
		all := s.checkOutput(written, run)
		ended := r.Attempt == run.attempt && r.State != schema.Failed
		switch {
		case run.ended && run.end == nil:
			require.True(s, ended, "attempt %d of task %v was told to have ended, and the task is %v by attempt %d", run.attempt, task.ID, r.State, r.Attempt)
			require.Equal(s, run.lines, all, "what attempt %d of task %v has written: %q %+v %+v", run.attempt, task.ID, written, run, r.Task)
		case run.ended && errors.Is(run.end, executor.ErrLeaseLost):
			require.False(s, ended && r.State == schema.Completed, "attempt %d of task %v was told to have lost its lease, and has ended it", run.attempt, task.ID)
		}
	}
	require.True(s, r.State.Final(), "task %v is %v", task.ID, r.State)
	s.checkTimes(task, runs)
}

// checkTimes: no two attempts of a task are at work at once, and one that was told that its lease is lost has not ended the task.
func (s *simulation) checkTimes(task *simTask, runs []*simRun) {
	runs = slices.Clone(runs)
	slices.SortFunc(runs, func(a, b *simRun) int { return a.began.Compare(b.began) })
	for i, run := range runs {
		over := run.over
		if died := s.died[run.by]; !died.IsZero() && (over.IsZero() || died.Before(over)) {
			over = died
		}
		require.False(s, run.lost && run.ended && run.end == nil, "attempt %d of task %v was told to have lost its lease, and to have ended", run.attempt, task.ID)
		if i+1 < len(runs) {
			require.False(s, over.IsZero() || over.After(runs[i+1].began), "attempt %d of task %v was at work until %v, and attempt %d began at %v", run.attempt, task.ID, over, runs[i+1].attempt, runs[i+1].began)
		}
	}
}

func (s *simulation) output(one *Store, task *simTask) string {
	p, err := one.Output(s.Context(), task.ID, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1 << 20})
	require.NoError(s, err)
	return string(p.Data)
}

// checkOutput answers how many lines of a run are there: the first ones, each once and in order.
func (s *simulation) checkOutput(written string, run *simRun) (n int) {
	for line := range strings.Lines(written) {
		attempt, _, _ := strings.Cut(line, ".")
		if attempt == fmt.Sprint(run.attempt) {
			require.Equal(s, fmt.Sprintf("%d.%d\n", run.attempt, n), line)
			n++
		}
	}
	return n
}
