package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// plugins are the sources of the plug-ins for editors.
var plugins = map[string]struct {
	files   []string // patterns in the folder of the plug-in
	comment string   // what a line of comment begins with
	most    int      // lines of code; the aim of all is 600
}{
	"vscode": {[]string{"src/*.ts"}, `//|/?\*`, 600},
	"neovim": {[]string{"plugin/*.lua", "lua/jobline/*.lua"}, `--`, 600},
	"emacs":  {[]string{"*.el"}, `;`, 600},
	"vim":    {[]string{"plugin/*.vim", "autoload/*.vim", "autoload/jobline/*.vim"}, `#`, 600},
}

// TestPluginsStaySmall bounds the lines of each plug-in that are neither blank nor comment: what
// several of them need belongs into the program.
func TestPluginsStaySmall(t *testing.T) {
	for name, p := range plugins {
		noCode, lines := regexp.MustCompile(`^\s*(`+p.comment+`|$)`), 0
		for _, pattern := range p.files {
			files, err := filepath.Glob(filepath.Join("../docs/editors", name, pattern))
			require.NoError(t, err)
			require.NotEmpty(t, files, pattern)
			for _, file := range files {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				for line := range strings.Lines(string(text)) {
					if !noCode.MatchString(strings.TrimSuffix(line, "\n")) {
						lines++
					}
					if p.most <= 600 { // those that are there are read as they are counted
						require.LessOrEqual(t, len(line), 121, "a line of %s is too long: %s", file, line)
					}
				}
			}
		}
		require.LessOrEqual(t, lines, p.most, "lines of code of the plug-in for %s", name)
		t.Logf("%s: %d lines of code", name, lines)
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
