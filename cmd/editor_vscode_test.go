package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	vscodeSource  = "../docs/editors/vscode"
	vscodeStories = "testdata/editors/vscode"
)

// TestEditorVSCode runs the extension for VS Code in Node: with the real jobline, and
// with a fake of what it uses of VS Code, which cannot be had without a download.
func TestEditorVSCode(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no shared servers on Windows")
	}
	story := compileExtension(t)
	for _, column := range []string{"start", "choose", "output", "errors", "progress", "list", "notice", "again", "windows", "trouble", "bounded"} {
		t.Run(column, func(t *testing.T) {
			home := t.TempDir()
			require.NoError(t, os.Chmod(home, 0o700))
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			manifest, err := filepath.Abs(filepath.Join(vscodeSource, "package.json"))
			require.NoError(t, err)
			own := []string{"MANIFEST=" + manifest, "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "XDG_STATE_HOME=" + home}
			told := exec.CommandContext(ctx, "node", story, column)
			told.Env = append(os.Environ(), own...)
			out, err := told.CombinedOutput()
			end := exec.CommandContext(context.WithoutCancel(ctx), "jobline", "shutdown", "--mode", "cancel")
			end.Env = told.Env
			_, _ = end.CombinedOutput() // a story may have ended the server
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// compileExtension compiles the extension and its stories strictly, and answers the
// program that tells one. It puts the fake where Node looks for VS Code.
func compileExtension(t *testing.T) (story string) {
	modules := nodeModules(t)
	for _, needed := range []string{"typescript", "@types/vscode"} {
		if _, err := os.Stat(filepath.Join(modules, needed)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("there is no %s in %s; .ci/clients installs it", needed, modules)
		}
	}
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	stories := filepath.Join(root, "cmd", vscodeStories)
	settings, err := json.Marshal(map[string]any{
		"extends": filepath.Join(root, "cmd", vscodeSource, "tsconfig.json"),
		"compilerOptions": map[string]any{
			"rootDir": root, "outDir": dir, "typeRoots": []string{filepath.Join(modules, "@types")}, "types": []string{"node", "vscode"},
		},
		"include": []string{stories},
	})
	require.NoError(t, err)
	project := filepath.Join(dir, "tsconfig.json")
	require.NoError(t, os.WriteFile(project, settings, 0o600))
	out, err := exec.CommandContext(t.Context(), "node", filepath.Join(modules, "typescript", "bin", "tsc"), "-p", project).CombinedOutput()
	require.NoError(t, err, "%s", out)
	built := filepath.Join(dir, "cmd", vscodeStories)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "node_modules", "vscode"), 0o700))
	fake := "module.exports = require(" + string(mustJSON(t, filepath.Join(built, "fake.js"))) + ")"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "node_modules", "vscode", "index.js"), []byte(fake), 0o600))
	return filepath.Join(built, "story.js")
}

func mustJSON(t *testing.T, value any) []byte {
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}
