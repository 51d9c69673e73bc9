package memory

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Tasks that are submitted alike share what they have in common: their labels, too.
// So the label that names a client costs its tasks nothing.
func TestTasksThatAreAlikeShareTheirTerms(t *testing.T) {
	var s Store
	termsWith := func(labels map[string]string) *terms {
		var e entry
		s.fill(&e, &executor.Submission{Record: executor.Record{Task: schema.Task{Type: "noop", Labels: labels}}})
		require.Nil(t, e.Value.extra(), "the labels take memory of each task")
		require.Equal(t, labels, e.Value.task().Labels)
		return e.Value.terms
	}
	owner := map[string]string{"owner": "editor"}
	of := termsWith(owner)
	require.Same(t, of, termsWith(owner), "one map")
	require.Same(t, of, termsWith(maps.Clone(owner)), "equal maps")
	require.NotSame(t, of, termsWith(map[string]string{"owner": "agent"}))
	require.NotSame(t, of, termsWith(map[string]string{"client": "editor"}))
	require.NotSame(t, of, termsWith(map[string]string{"owner": "editor", "of": "x"}))
	require.NotSame(t, of, termsWith(nil))
}
