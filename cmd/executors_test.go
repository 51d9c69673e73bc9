package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// On a narrow terminal the state stays and what is long goes, and types are there where they differ.
func TestExecutorTable(t *testing.T) {
	now := time.Now()
	types := []string{"bubbleBathOptimization", "exec", "fail", "noop", "sleep", "unicornWrangling"}
	all := []schema.ExecutorInfo{
		{Name: "build1.example.com/19641", Host: "build1.example.com", Limit: 8, Running: 3, Types: types, Labels: map[string]string{"gpu": "a100", "os": "linux"}, Draining: true},
		{Name: "m2", Host: "build2.example.com", Limit: 8, Types: types, SilentMs: 12_345},
	}
	for i := range all {
		all[i].Since, all[i].BeatAt = schema.TimeOf(now.Add(-3*time.Hour)), schema.TimeOf(now.Add(-14*time.Second))
	}
	lines := executorTable(all, false, now).lines(terminal{}, 80)
	require.Regexp(t, `^NAME +STATE +RUNNING +LIMIT +HEARD`, lines[0])
	require.Regexp(t, `^build1\.ex.* draining +3 +8 +14s ago`, lines[1])
	require.Regexp(t, `^m2 +silent 12s +0 +8 +14s ago`, lines[2])
	for _, line := range lines {
		require.LessOrEqual(t, show.Columns(line), 80)
		require.NotContains(t, line, "unicornWrangling")
	}
	require.Contains(t, strings.Join(executorTable(all, true, now).lines(terminal{}, 0), "\n"), "unicornWrangling")
	all[1].Types = nil
	require.Regexp(t, `(?s)TYPES.*unicornWrangling.*every`, strings.Join(executorTable(all, false, now).lines(terminal{}, 0), "\n"))
}
