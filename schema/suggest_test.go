package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSuggest(t *testing.T) {
	methods := []string{MethodSubmit, MethodStatus, MethodCancel, MethodShutdown, MethodWait, MethodList, MethodOutput, MethodTypes, MethodStats}
	types := []string{"bubbleBathOptimization", "squirrelPatrol", "unicornWrangling", "exec", "sleep", "noop", "fail", "bbo", "sp", "uw"}
	for _, c := range []struct {
		name  string
		known []string
		want  []string
	}{
		{"sumbit", methods, []string{"submit"}},
		{"wiat", methods, []string{"wait"}},
		{"Submit", methods, []string{"submit"}},
		{"state", methods, []string{"stats", "status"}},
		{"stat", methods, []string{"stats", "status"}},
		{"type", methods, []string{"types"}},
		{"can", methods, []string{"cancel"}},
		{"frobnicate", methods, nil},
		{"x", methods, nil},
		{"", methods, nil},
		{"submit", []string{"submit"}, nil},
		{"unicorn", types, []string{"unicornWrangling"}},
		{"squirelpatrol", types, []string{"squirrelPatrol"}},
		{"slep", types, []string{"sleep"}},
		{"zz", types, nil},
		{"a", []string{"b"}, nil}, // nothing is left of it
		{"wo", []string{"workingDirectory"}, []string{"workingDirectory"}},
		{"w", []string{"workingDirectory"}, nil},
		{"ragv", []string{"argv"}, []string{"argv"}},
		{"aab", []string{"aaa", "aac", "aad", "aae", "aaa"}, []string{"aaa", "aac", "aad"}},
		{"träger", []string{"traeger", "trager"}, []string{"trager", "traeger"}},
		{strings.Repeat("a", maxSuggestLength), []string{strings.Repeat("a", maxSuggestLength-1)}, []string{strings.Repeat("a", maxSuggestLength-1)}},
		{strings.Repeat("a", maxSuggestLength+1), []string{strings.Repeat("a", maxSuggestLength)}, nil},
	} {
		require.Equal(t, c.want, Suggest(c.name, c.known), c.name)
	}
}
