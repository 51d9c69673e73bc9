package cmd

import (
	"testing"

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
		var o outcome
		for _, e := range c.ends {
			o.add(end(e))
		}
		require.Equal(t, c.want, o.code, "%v", c.ends)
	}
	var o outcome
	o.add(&schema.Task{State: schema.Cancelled})
	require.Equal(t, exitCode(exitSomeFailed), o.code)
	require.EqualValues(t, 1, o.codeOfOne())
}
