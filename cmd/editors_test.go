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

// drivesEditors skips a test that drives an editor, unless the variable JOBLINE_EDITORS is 1:
// editors and terminals are programs of others, which take minutes and work in real time. CI has
// a step for them.
func drivesEditors(t *testing.T) {
	t.Helper()
	if os.Getenv("JOBLINE_EDITORS") != "1" {
		t.Skip("editors are driven where JOBLINE_EDITORS=1")
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
