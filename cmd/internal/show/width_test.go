package show

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    []string
	}{
		{"", 5, []string{""}},
		{"make", 4, []string{"make"}},
		{"make test", 4, []string{"make", "test"}},
		{"make test now", 9, []string{"make test", "now"}},
		{"make test now", 8, []string{"make", "test now"}},
		{"unbreakable", 4, []string{"unbr", "eaka", "ble"}},
		{"日本語", 4, []string{"日本", "語"}},
	} {
		require.Equal(t, c.want, Wrap(c.text, c.columns), "%q in %d", c.text, c.columns)
	}
}

func TestWrapLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("abé日 \u0301 "))).Draw(t, "text")
		columns := rapid.IntRange(2, 9).Draw(t, "columns")
		lines := Wrap(text, columns)
		for _, line := range lines {
			require.LessOrEqual(t, Columns(line), columns)
		}
		require.Equal(t, strings.ReplaceAll(text, " ", ""), strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	})
}
