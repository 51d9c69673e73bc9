package cmd

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// A change of which it is not known whether it was recorded is not told as one that was refused.
func TestAnOutcomeThatIsNotKnown(t *testing.T) {
	answer := wire.NewError(schema.CodeStoreUnavailable, "%s", "the store is unavailable: no response from stream: whether the change is done is not known: over: look with status")
	answer.Data.OutcomeUnknown = true
	p := &Program{Name: "jobline", args: []string{"submit", "--label", "a=b", "--", "echo", "a b"}}
	flags := p.taskFlags("submit")
	flags.name = "exec"
	id := uuid.MustParse("01800000-0000-7000-8000-0000000000aa")
	target := &targetOptions{socket: "/run/a b.sock"}
	say := func(string, ...any) { t.Fatal("all of it is in the error") }

	err := flags.refused(say, id, target, answer)
	require.EqualError(t, err, "it is not known whether exec was recorded as 01800000-0000-7000-8000-0000000000aa: the store is unavailable: no response from stream; "+
		"look by: jobline status 01800000-0000-7000-8000-0000000000aa --socket '/run/a b.sock'; or submit it again, which counts once, by: "+
		"jobline submit --id 01800000-0000-7000-8000-0000000000aa --label a=b -- echo 'a b'")
	code, _ := exitCodeOf(err)
	require.Equal(t, 1, code)
	flags.id = id.String()
	p.args = []string{"submit", "--id", id.String(), "noop"}
	require.ErrorContains(t, flags.refused(say, id, target, answer), "by: jobline submit --id 01800000-0000-7000-8000-0000000000aa noop")

	p.args = []string{"pause", "g"}
	require.EqualError(t, p.answerOf(answer), "it is not known whether the change was recorded: the store is unavailable: no response from stream; "+
		"look with jobline groups before you give it again: jobline pause g")
	p.args = []string{"cancel", "01aa"}
	require.ErrorContains(t, p.answerOf(answer), "look with jobline status before you give it again: jobline cancel 01aa")
	require.Empty(t, outcomeUnknown(errors.New("other")))
	require.Empty(t, outcomeUnknown(wire.NewError(schema.CodeStoreUnavailable, "it was not done")))
}
