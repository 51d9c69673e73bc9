package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// editorColumns are what each plug-in for an editor does: the names of the tests that drive it.
var editorColumns = []string{"start", "choose", "output", "errors", "progress", "list", "notice", "again", "windows", "trouble", "bounded"}

// drivesEditors skips a test that drives an editor under the race detector, which sees nothing of
// an editor, and in short runs.
func drivesEditors(t *testing.T) {
	t.Helper()
	if raceDetector || testing.Short() {
		t.Skip("editors are driven where the race detector is off, and not in short runs")
	}
}

// TestEveryEditorIsDriven holds the folders of plug-ins, the rows and cells of the page about them
// and their tests against each other.
func TestEveryEditorIsDriven(t *testing.T) {
	page, err := os.ReadFile("../docs/editors/README.md")
	require.NoError(t, err)
	folders, err := filepath.Glob("../docs/editors/*/README.md")
	require.NoError(t, err)
	require.Len(t, folders, 4)
	for _, folder := range folders {
		name := filepath.Base(filepath.Dir(folder))
		require.Contains(t, string(page), fmt.Sprintf("](%s/README.md) |", name))
		test, err := os.ReadFile("editor_" + name + "_test.go")
		require.NoError(t, err)
		for _, column := range editorColumns {
			require.Contains(t, string(test), `"`+column+`"`, "the test of %s", name)
		}
	}
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(strings.TrimSpace(line), "|"); len(cells) == 7 { // with what is before and behind the line
			require.False(t, slices.Contains(cells[2:6], "  ") || slices.Contains(cells[2:6], " "), "an empty cell: %s", line)
		}
	}
}
