package cmd

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/cmd/internal/show"
)

// noTerminal is a terminal that is none.
var noTerminal = terminal{size: func() (int, int) { return 0, 0 }}

func TestWidthsOfText(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "é": 1, "e\u0301": 1, "日本": 4, "👍": 2, "ａ": 2, "a\u200db": 2, "…": 1} {
		require.Equal(t, want, show.Columns(text), "%q", text)
	}
	require.Equal(t, "日…", show.Cut("日本語", 4))
	require.Equal(t, "…", show.Cut("日本語", 2))
	require.Equal(t, "", show.Cut("abc", 0))
	require.Equal(t, "abc", show.Cut("abc", 3))
}

func TestTableDropsWhatHasNoRoom(t *testing.T) {
	tab := &table{columns: []tableColumn{{title: "ID"}, {title: "STATE", least: 4}, {title: "AGE", drop: 2}, {title: "TASK", least: 6, drop: 1}, {title: "NONE"}}}
	tab.add(tableCell{text: "12345678"}, tableCell{text: "completed"}, tableCell{text: "10m"}, tableCell{text: "make all of it"}, tableCell{})
	tab.add(tableCell{text: "1"}, tableCell{text: "running"}, tableCell{}, tableCell{text: "a\x1b[2J\nb"}, tableCell{})
	for columns, want := range map[int][]string{
		0:  {"ID        STATE      AGE  TASK", "12345678  completed  10m  make all of it", "1         running         a^[[2J b"},
		40: {"ID        STATE      AGE  TASK", "12345678  completed  10m  make all of it", "1         running         a^[[2J b"},
		32: {"ID        STATE    AGE  TASK", "12345678  comple…  10m  make al…", "1         running       a^[[2J b"},
		24: {"ID        STA…  TASK", "12345678  com…  make …", "1         run…  a^[[2…"},
		14: {"ID        STA…", "12345678  com…", "1         run…"},
	} {
		require.Equal(t, want, tab.lines(noTerminal, columns), columns)
	}
}

// TestTablesFit: whatever is in the cells, a line fits, and nothing in it moves the
// cursor.
func TestTablesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tab := &table{columns: []tableColumn{{title: "ID"}, {title: "A", least: 3}, {title: "B", drop: 1}, {title: "C", least: 2, drop: 2}}}
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab é日👍\x1b\u009b\u202e\n\r\t…")), 0, 30, -1)
		for i := range rapid.IntRange(0, 5).Draw(t, "rows") {
			tab.add(tableCell{text: fmt.Sprint(i)}, tableCell{text: text.Draw(t, "a")}, tableCell{text: text.Draw(t, "b")}, tableCell{text: text.Draw(t, "c")})
		}
		columns := rapid.IntRange(7, 100).Draw(t, "columns")
		for _, line := range tab.lines(noTerminal, columns) {
			require.LessOrEqual(t, show.Columns(line), columns)
			require.NotContains(t, line, "\x1b")
			require.NotContains(t, line, "\u009b")
			require.NotContains(t, line, "\n")
		}
	})
}
