package executor_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// again submits tasks again, and answers the new ones by the old ones.
func (r *rig) again(p schema.RetryParams) map[uuid.UUID]schema.Task {
	r.Helper()
	result, err := r.Resubmit(r.Context(), &p)
	require.NoError(r, err)
	byOld := map[uuid.UUID]schema.Task{}
	for _, t := range result.Tasks {
		byOld[t.Conditions.RetryOf] = t
	}
	require.Len(r, byOld, len(result.Tasks))
	return byOld
}

func napBehind(on schema.On, ids ...uuid.UUID) schema.SubmitParams {
	p := nap(time.Second)
	for _, id := range ids {
		p.After = append(p.After, schema.Dependency{ID: id, On: on})
	}
	return p
}

// TestAGraphIsSubmittedAgain has a diamond whose root fails, with a task beside it that did not fail by
// that, and one that comes after a task which has not ended.
func TestAGraphIsSubmittedAgain(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		slow := r.submit(nap(time.Hour))
		root := r.submit(schema.SubmitParams{Type: "fail", DelayMs: 1000, Priority: new(3), Labels: map[string]string{"a": "b"}, TimeoutMs: 5000})
		left, right := r.submit(napBehind(schema.OnSuccess, root)), r.submit(napBehind(schema.OnSuccess, root, slow))
		join := r.submit(napBehind(schema.OnSuccess, left, right))
		cleanup := r.submit(napBehind(schema.OnFailure, root))
		r.pass(5 * time.Second)
		r.inState(join, schema.Failed)
		r.inState(cleanup, schema.Completed)
		require.NoError(r, r.Pause(r.Context(), "", true))

		news := r.again(schema.RetryParams{ID: root, Dependents: true})
		require.ElementsMatch(r, []uuid.UUID{root, left, right, join}, slices.Collect(maps.Keys(news)))
		require.Equal(r, int8(3), news[root].Priority)
		require.Equal(r, map[string]string{"a": "b"}, news[root].Labels)
		require.Equal(r, &schema.Conditions{RetryOf: root}, news[root].Conditions, "it waits for no time")
		require.Equal(r, []schema.Dependency{{ID: news[root].ID}}, news[left].Conditions.After)
		require.Equal(r, []schema.Dependency{{ID: news[root].ID}, {ID: slow}}, news[right].Conditions.After)
		require.Equal(r, []schema.Dependency{{ID: news[left].ID}, {ID: news[right].ID}}, news[join].Conditions.After)
		record, err := r.store.Get(r.Context(), news[root].ID)
		require.NoError(r, err)
		require.Equal(r, 5*time.Second, record.Timeout)

		alone := r.again(schema.RetryParams{IDs: []uuid.UUID{join, right}})
		require.Equal(r, []schema.Dependency{{ID: news[root].ID}, {ID: slow}}, alone[right].Conditions.After, "the root runs again")
		require.Equal(r, []schema.Dependency{{ID: news[left].ID}, {ID: alone[right].ID}}, alone[join].Conditions.After)
	})
}

// TestAFailureByAnotherTaskIsNotRunAlone has a chain of which the first fails, is submitted again, and
// fails once more.
func TestAFailureByAnotherTaskIsNotRunAlone(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		refused := func(p schema.RetryParams, pointer, says string) {
			r.Helper()
			_, err := r.Resubmit(r.Context(), &p)
			var wrong *executor.InputError
			require.ErrorAs(r, err, &wrong)
			require.Equal(r, pointer, wrong.Violations[0].Pointer)
			require.Contains(r, wrong.Violations[0].Message, says)
		}
		first := r.submit(schema.SubmitParams{Type: "fail"})
		next := r.submit(napBehind(schema.OnSuccess, first))
		last := r.submit(napBehind(schema.OnSuccess, next))
		r.inState(last, schema.Failed)
		refused(schema.RetryParams{ID: last}, "/id", "because of "+first.String()+"; retry "+first.String()+" with dependents")
		refused(schema.RetryParams{IDs: []uuid.UUID{first, last}}, "/ids/1", "because of "+first.String())

		again := r.again(schema.RetryParams{ID: first})
		r.inState(again[first].ID, schema.Failed)
		refused(schema.RetryParams{ID: next, Dependents: true}, "/id", "because of "+again[first].ID.String())
		require.NoError(r, r.Pause(r.Context(), "", true))
		third := r.again(schema.RetryParams{ID: again[first].ID, Dependents: true})
		require.ElementsMatch(r, []uuid.UUID{again[first].ID, next, last}, slices.Collect(maps.Keys(third)), "also what failed because of the first run")
		require.Len(r, r.again(schema.RetryParams{ID: again[first].ID, Dependents: true}), 1, "the others run again already")
		require.NoError(r, r.Pause(r.Context(), "", false))
		r.pass(time.Second)

		require.Empty(r, r.again(schema.RetryParams{ID: next, Force: true})[next].Conditions.After)
	})
}

// TestARetryAsksForNoMoreThanItsTask has a task that asked for no labels though its group does.
func TestARetryAsksForNoMoreThanItsTask(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		asks := schema.GroupDefaults{On: map[string]string{"gpu": "a100"}}
		_, err := r.SetGroup(r.Context(), &schema.SetGroupParams{Name: "g", Defaults: &asks})
		require.NoError(r, err)
		old := r.submit(schema.SubmitParams{Type: "fail", Conditions: schema.Conditions{Group: "g", On: map[string]string{}}})
		r.pass(time.Second)
		r.inState(old, schema.Failed)
		again := r.again(schema.RetryParams{ID: old})[old]
		require.Equal(r, &schema.Conditions{Group: "g", RetryOf: old}, again.Conditions)
		r.pass(time.Second)
		r.inState(again.ID, schema.Failed)
	})
}

// TestABranchThatWasNotTakenIsNoFailure holds that what waits for a failure is not run where there was none.
func TestABranchThatWasNotTakenIsNoFailure(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		works := r.submit(nap(time.Second))
		alarm := r.submit(napBehind(schema.OnFailure, works))
		r.pass(time.Second)
		r.inState(alarm, schema.Failed)
		_, err := r.Resubmit(r.Context(), &schema.RetryParams{ID: alarm})
		require.ErrorContains(r, err, "runs only where "+works.String()+" fails, which has completed")
		both := r.again(schema.RetryParams{ID: works, Dependents: true})
		require.Equal(r, []schema.Dependency{{ID: both[works].ID, On: schema.OnFailure}}, both[alarm].Conditions.After)
		r.pass(time.Second)
		r.inState(both[works].ID, schema.Completed)
		require.Empty(r, r.again(schema.RetryParams{ID: alarm, Force: true})[alarm].Conditions.After)
	})
}

// TestAFurtherRunKeepsAParentThatRuns holds that a parent that has ended is left out.
func TestAFurtherRunKeepsAParentThatRuns(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		parent := r.submit(nap(time.Minute))
		part := r.submit(schema.SubmitParams{Type: "fail", Conditions: schema.Conditions{Parent: parent}})
		r.inState(part, schema.Failed)
		require.Equal(r, parent, r.again(schema.RetryParams{ID: part})[part].Conditions.Parent)
		r.pass(time.Minute)
		r.inState(parent, schema.Completed)
		require.Equal(r, uuid.Nil, r.again(schema.RetryParams{ID: part})[part].Conditions.Parent)
	})
}

// TestWhatIsNotSubmittedAgain holds that nothing is submitted where one task is refused.
func TestWhatIsNotSubmittedAgain(t *testing.T) {
	full := func() executor.Store { return memory.New(memory.Options{MaxQueued: 2}) }
	withStore(t, executor.Options{Limit: 1}, full, func(r *rig) {
		fails, runs := r.submit(schema.SubmitParams{Type: "fail"}), r.submit(nap(time.Second))
		completed := runs
		r.inState(fails, schema.Failed)
		refused := func(p schema.RetryParams, pointer, says string) {
			r.Helper()
			before := r.stats().Totals.Submitted
			_, err := r.Resubmit(r.Context(), &p)
			var wrong *executor.InputError
			require.ErrorAs(r, err, &wrong)
			require.Equal(r, pointer, wrong.Violations[0].Pointer)
			require.Contains(r, wrong.Violations[0].Message, says)
			require.Equal(r, before, r.stats().Totals.Submitted)
		}
		refused(schema.RetryParams{ID: runs}, "/id", "has not ended")
		refused(schema.RetryParams{}, "", "either")
		refused(schema.RetryParams{ID: fails, IDs: []uuid.UUID{fails}}, "", "either")
		r.pass(time.Second)
		refused(schema.RetryParams{IDs: []uuid.UUID{fails, completed}}, "/ids/1", "has completed")
		_, err := r.Resubmit(r.Context(), &schema.RetryParams{IDs: []uuid.UUID{fails, uuid.New()}})
		require.ErrorIs(r, err, executor.ErrNotFound)
		require.NoError(r, r.Pause(r.Context(), "", true))
		require.Len(r, r.again(schema.RetryParams{IDs: []uuid.UUID{fails, fails, completed}, Force: true}), 2)
		_, err = r.Resubmit(r.Context(), &schema.RetryParams{ID: completed})
		require.ErrorIs(r, err, executor.ErrQueueFull)
	})
}

// TestHiddenValuesAreGivenAgain holds that the values come into their places, and that those which are
// missing are named.
func TestHiddenValuesAreGivenAgain(t *testing.T) {
	withRig(t, secretive(), func(r *rig) {
		id := r.submit(login(`{"name":"a","password":"p","vars":{"A":"b","A_KEY":"s1"}}`))
		r.inState(id, schema.Completed)
		_, err := r.Resubmit(r.Context(), &schema.RetryParams{ID: id, Hidden: map[string]string{"password": "p2"}})
		var wrong *executor.InputError
		require.ErrorAs(r, err, &wrong)
		require.Len(r, wrong.Violations, 1)
		require.Equal(r, "/hidden/A_KEY", wrong.Violations[0].Pointer)
		news := r.again(schema.RetryParams{ID: id, Hidden: map[string]string{"password": "p\"2", "A_KEY": "s2"}})
		task := r.inState(news[id].ID, schema.Completed)
		require.JSONEq(r, `{"name":"a","password":"p\"2","vars":{"A":"b","A_KEY":"s2"}}`, string(task.Result))
		require.JSONEq(r, `{"name":"a","password":"•••","vars":{"A":"b","A_KEY":"•••"}}`, string(task.Input))
	})
}

// TestARequestThatIsSentTwiceSubmitsOnce has a request whose answer was lost, for one task and for a
// graph, and one that was changed.
func TestARequestThatIsSentTwiceSubmitsOnce(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		root := r.submit(schema.SubmitParams{Type: "fail"})
		left, right := r.submit(napBehind(schema.OnSuccess, root)), r.submit(napBehind(schema.OnSuccess, root))
		r.inState(right, schema.Failed)
		for _, p := range []schema.RetryParams{
			{ID: root, RequestID: uuid.New()},
			{IDs: []uuid.UUID{right, left}, Force: true, RequestID: uuid.New()},
			{ID: root, Dependents: true, RequestID: uuid.New()},
		} {
			first, err := r.Resubmit(r.Context(), &p)
			require.NoError(r, err)
			require.False(r, first.Existing)
			r.pass(time.Second)
			before := r.stats().Totals.Submitted
			second, err := r.Resubmit(r.Context(), &p)
			require.NoError(r, err)
			require.True(r, second.Existing)
			require.Equal(r, before, r.stats().Totals.Submitted)
			require.Len(r, second.Tasks, len(first.Tasks))
			for i := range first.Tasks {
				require.Equal(r, first.Tasks[i].ID, second.Tasks[i].ID)
				require.True(r, second.Tasks[i].State.Final())
			}
			p.RequestID = uuid.New()
			again, err := r.Resubmit(r.Context(), &p)
			require.NoError(r, err)
			require.NotEqual(r, first.Tasks[0].ID, again.Tasks[0].ID)
			r.pass(time.Second)
		}
	})
}

// TestARequestIDIsOfOneRequest: a request for more tasks than the one before with its id is refused, and
// not answered with those of that one. What is forgotten is no other request.
func TestARequestIDIsOfOneRequest(t *testing.T) {
	withRig(t, executor.Options{Limit: 4}, func(r *rig) {
		first, second := r.submit(schema.SubmitParams{Type: "nap"}), r.submit(schema.SubmitParams{Type: "nap"})
		r.pass(time.Second)
		p := schema.RetryParams{IDs: []uuid.UUID{first}, Force: true, RequestID: uuid.New()}
		answer, err := r.Resubmit(r.Context(), &p)
		require.NoError(r, err)
		r.pass(time.Second)
		before := r.stats().Totals.Submitted
		for _, ids := range [][]uuid.UUID{{first, second}, {second, first}} {
			other := p
			other.IDs = ids
			_, err := r.Resubmit(r.Context(), &other)
			require.ErrorContains(r, err, "/requestId: a request with this id was sent before, and not for "+second.String())
		}
		require.Equal(r, before, r.stats().Totals.Submitted)
		p.IDs = append(p.IDs, uuid.New()) // as one that is forgotten
		again, err := r.Resubmit(r.Context(), &p)
		require.NoError(r, err)
		require.Len(r, again.Tasks, 1)
		require.Equal(r, answer.Tasks[0].ID, again.Tasks[0].ID)
		require.Equal(r, schema.Completed, again.Tasks[0].State)
		require.Nil(r, again.Tasks[0].Result, "all results can be too much for one answer")
	})
}
