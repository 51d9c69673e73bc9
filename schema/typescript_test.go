package schema

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTypeScriptIsGenerated holds jobline.d.ts against the Go types. That it
// compiles, and fits what a server sends, is shown in package cmd.
func TestTypeScriptIsGenerated(t *testing.T) {
	want, err := buildTypeScript()
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("jobline.d.ts", []byte(want), 0o644))
	}
	got, err := os.ReadFile("jobline.d.ts")
	require.NoError(t, err)
	require.Equal(t, want, string(got), "jobline.d.ts differs from the Go types: go test ./schema -update")
}
