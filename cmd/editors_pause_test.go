//go:build linux

package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEditorPauses tells how long the editors take no keys where JOBLINE_PAUSES=1: it measures, and
// holds nothing, since other programs are part of what it measures. The one of VS Code is told by
// TestEditorVSCode.
func TestEditorPauses(t *testing.T) {
	drivesEditors(t)
	if os.Getenv("JOBLINE_PAUSES") != "1" {
		t.Skip("pauses are measured where JOBLINE_PAUSES=1")
	}
	for version, program := range emacsVersions(t) {
		t.Run("emacs/"+version, func(t *testing.T) {
			e := newEmacs(t, program)
			e.compilesPackage(t)
			e.hasWriters(t)
			e.play(t, "pause")
			e.tellsPause(t)
		})
	}
	for version, program := range vims(t) {
		t.Run("vim/"+version, func(t *testing.T) {
			v := newVim(t, program)
			v.hasWriters(t)
			require.NoError(t, v.run(t, "pause"))
			v.tellsPause(t)
		})
	}
	t.Run("neovim", func(t *testing.T) {
		n := &neovimEditor{newEditorHome(t), neovim(t)}
		n.hasWriters(t)
		require.Empty(t, editorOutput(t, n.script(t, "pause")))
		n.tellsPause(t)
	})
}

// hasWriters makes 50 tasks that write 1,000 lines a second each for 4 s once the file go is there,
// and one that has written 100 MB. Their ids are in the file ids.
func (h *editorHome) hasWriters(t *testing.T) {
	h.env = append(h.env, "JOBLINE_LIMIT=60", "JOBLINE_MAX_OUTPUT=128MiB")
	const (
		// One process, since 50 shells that start programs all the time would be measured, too.
		writer = `sub rest { select undef, undef, undef, 0.05 } $| = 1; rest until -e "go"; ` +
			`for (1..80) { print join "", map "line $_ of a task that writes a thousand lines in a second\n", 1..50; rest }`
		big = "yes $(printf 'x%.0s' $(seq 98)) | head -c 100000000"
	)
	var ids strings.Builder
	for range 50 {
		ids.WriteString(h.jobline(t, "submit", "--", "perl", "-e", writer))
	}
	ids.WriteString(h.jobline(t, "submit", "--wait", "--", "sh", "-c", big))
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "ids"), []byte(ids.String()), 0o600))
}

// tellsPause logs what a script has measured, and how busy the machine is.
func (h *editorHome) tellsPause(t *testing.T) {
	load, err := os.ReadFile("/proc/loadavg")
	require.NoError(t, err)
	t.Logf("%s; the load is %s", strings.TrimSpace(readText(t, filepath.Join(h.dir, "pause"))), strings.TrimSpace(string(load)))
}
