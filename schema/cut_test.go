package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCut(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		strings.Repeat("x", 100): strings.Repeat("x", 100),
		strings.Repeat("x", 101): strings.Repeat("x", 100) + "…",
		strings.Repeat("🦄", 100): strings.Repeat("🦄", 100),
		strings.Repeat("🦄", 101): strings.Repeat("🦄", 100) + "…",
		strings.Repeat("x", 1e6): strings.Repeat("x", 100) + "…",
	} {
		require.Equal(t, want, Cut(text))
		require.Equal(t, want, Cut([]byte(text)))
	}
}

func TestKnows(t *testing.T) {
	s := mustDerive[StatusParams](t)
	require.True(t, s.Knows("includeInput"))
	require.False(t, s.Knows("ID"))
	require.True(t, mustDerive[map[string]int](t).Knows("anything"))
	require.True(t, mustDerive[any](t).Knows("anything"))
}
