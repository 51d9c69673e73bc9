package executor_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

func TestReasonOfACancelIsMadeUTF8(t *testing.T) {
	withRig(t, executor.Options{Limit: 1}, func(r *rig) {
		running, queued := r.submit(nap(time.Hour)), r.of("nap")
		r.inState(running, schema.Running)
		for _, id := range []uuid.UUID{queued, running} {
			r.cancel(id, executor.Cancellation{Reason: "caf\xe9"})
			got := r.inState(id, schema.Cancelled)
			require.Equal(r, "caf\uFFFD", got.CancelReason)
			require.Equal(r, "cancelled: caf\uFFFD", got.Error.Message)
		}
	})
}

func TestLabelsMustBeUTF8(t *testing.T) {
	e := idle(t, executor.Options{})
	for name, labels := range map[string]map[string]string{
		"the key":   {"caf\xe9": "v"},
		"the value": {"k": "caf\xe9"},
	} {
		_, err := e.Prepare(&schema.SubmitParams{Type: "nap", Labels: labels})
		var wrong *executor.InputError
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, "/labels", wrong.Violations[0].Pointer)
		require.Regexp(t, `the label ("caf\\xe9": "v"|"k": "caf\\xe9") is not UTF-8; give it in UTF-8`, err.Error())
	}
	_, err := e.Prepare(&schema.SubmitParams{Type: "nap", Labels: map[string]string{"clé": "café\uFFFD"}})
	require.NoError(t, err)
}

// TestAnErrorIsOneLine has a name in a pointer that a client has made up.
func TestAnErrorIsOneLine(t *testing.T) {
	err := &executor.InputError{Violations: []schema.Violation{
		{Pointer: "/needs/a\x1b\nb", Message: "it is wrong"}, {Pointer: "/key", Message: "it is long"},
	}}
	require.EqualError(t, err, `params at "/needs/a\x1b\nb": it is wrong; at /key: it is long`)
}
