package cmd

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

func TestOutcomesAreThoseOfXargs(t *testing.T) {
	end := func(e *schema.TaskError) *schema.Task {
		if e == nil {
			return &schema.Task{State: schema.Completed}
		}
		return &schema.Task{State: schema.Failed, Error: e}
	}
	exit := func(code int) *schema.TaskError { return &schema.TaskError{Kind: schema.KindExit, ExitCode: &code} }
	for _, c := range []struct {
		ends []*schema.TaskError
		want exitCode
	}{
		{nil, 0}, {[]*schema.TaskError{nil, nil}, 0}, {[]*schema.TaskError{nil, exit(1)}, 123}, {[]*schema.TaskError{exit(3), exit(255)}, 124},
		{[]*schema.TaskError{exit(255), exit(3)}, 124}, {[]*schema.TaskError{{Kind: schema.KindSignal}}, 125},
		{[]*schema.TaskError{{Kind: schema.KindSpawn, Errno: "EACCES"}}, 126}, {[]*schema.TaskError{{Kind: schema.KindSpawn, Errno: "ENOENT"}}, 127},
		{[]*schema.TaskError{exit(126)}, 126}, {[]*schema.TaskError{exit(127)}, 127}, {[]*schema.TaskError{{Kind: schema.KindTimeout}, {Kind: schema.KindPanic}}, 123},
	} {
		o := newOutcome()
		for _, e := range c.ends {
			o.add(end(e))
		}
		require.Equal(t, c.want, o.code, "%v", c.ends)
	}
	o := newOutcome()
	o.add(&schema.Task{State: schema.Cancelled})
	require.Equal(t, exitCode(exitSomeFailed), o.code)
	require.EqualValues(t, 1, o.codeOfOne())
}

func TestABranchThatWasNotTakenIsNoFailure(t *testing.T) {
	ids := []uuid.UUID{{1}, {2}, {3}, {4}}
	after := func(i, cause int, on schema.On) *schema.Task {
		return &schema.Task{
			ID: ids[i], State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindDependency, Cause: ids[cause]},
			Conditions: &schema.Conditions{After: []schema.Dependency{{ID: ids[cause], On: on}}},
		}
	}
	o := newOutcome()
	require.Equal(t, endsWell, o.add(&schema.Task{ID: ids[0], State: schema.Completed}))
	require.Equal(t, endsWell, o.add(after(1, 0, schema.OnFailure)), "an alarm that was not needed")
	require.Equal(t, endsWell, o.add(after(2, 1, schema.OnSuccess)), "and what comes after it")
	require.Zero(t, o.code)
	require.Equal(t, endsBadly, o.add(after(3, 0, schema.OnSuccess)), "what failed because of a task that is not waited for")
	require.EqualValues(t, exitSomeFailed, o.code)

	o = newOutcome()
	require.Equal(t, endsBadly, o.add(&schema.Task{ID: ids[0], State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit, ExitCode: new(255)}}))
	require.Equal(t, endsByOther, o.add(after(1, 0, schema.OnSuccess)))
	require.Equal(t, endsByOther, o.add(after(2, 1, schema.OnSuccess)))
	require.EqualValues(t, exitSaid255, o.code, "the code is that of what failed by itself")
}
