package cmd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLogsMarkAttemptsAtATerminal shows a person where another attempt begins, in what was written
// before and in what comes. A program that reads the output is told nothing.
func TestLogsMarkAttemptsAtATerminal(t *testing.T) {
	env := append(sharedServer(t), "NO_COLOR=1")
	script := `echo x >>tries; n=$(wc -l <tries); printf 'try %s' $n; test $n -eq 3`
	quiet(t, env, "submit", "--wait", "-q", "--retry", "3", "--retry-delay", "0", "--set", "dir="+t.TempDir(), "--", "sh", "-c", script)
	for _, args := range [][]string{{"logs", "@last"}, {"logs", "@last", "--tail", "9"}, {"logs", "@last", "--stream", "stdout"}} {
		shown, code := atTerminal(t, env, "", args...)
		require.Zero(t, code)
		require.Equal(t, "try 1\n--- attempt 2 ---\ntry 2\n--- attempt 3 ---\ntry 3", strings.TrimSpace(strings.ReplaceAll(shown, "\r", "")), args)
	}
	require.Equal(t, "try 1try 2try 3", quiet(t, env, "logs", "@last"))

	quiet(t, env, "submit", "-q", "--retry", "1", "--retry-delay", "500ms", "--set", "dir="+t.TempDir(), "--", "sh", "-c",
		`echo x >>tries; n=$(wc -l <tries); echo try $n; test $n -eq 2`)
	shown, code := atTerminal(t, env, "", "logs", "-f", "@last")
	require.Zero(t, code)
	require.Equal(t, "try 1\n--- attempt 2 ---\ntry 2", strings.TrimSpace(strings.ReplaceAll(shown, "\r", "")))
}
