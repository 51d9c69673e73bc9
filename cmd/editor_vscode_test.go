//go:build linux || darwin || freebsd

package cmd

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
	drivesEditors(t)
	story := compileExtension(t)
	t.Parallel()
	for _, column := range []string{"start", "choose", "output", "errors", "progress", "list", "notice", "again", "windows", "trouble", "bounded"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			h := newEditorHome(t)
			told := h.editor(t, "node", story, column)
			told.Env = append(told.Env, "MANIFEST="+absolute(t, filepath.Join(vscodeSource, "package.json")))
			out, err := told.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// TestEditorVSCodePackage packages a clone as the README says, and looks at what is in it.
func TestEditorVSCodePackage(t *testing.T) {
	drivesEditors(t)
	modules := nodeModules(t)
	needModules(t, "typescript", "@types/vscode", "@vscode/vsce")
	t.Parallel()
	root := t.TempDir()
	extension := filepath.Join(root, "docs", "editors", "vscode")
	require.NoError(t, os.CopyFS(filepath.Join(extension, "src"), os.DirFS(filepath.Join(vscodeSource, "src"))))
	for _, name := range []string{"package.json", "tsconfig.json", "README.md", "icon.svg", "LICENSE"} {
		require.NoError(t, os.WriteFile(filepath.Join(extension, name), []byte(readText(t, filepath.Join(vscodeSource, name))), 0o600))
	}
	require.NoError(t, os.CopyFS(filepath.Join(root, "schema"), os.DirFS("../schema")))
	require.NoError(t, os.Symlink(modules, filepath.Join(extension, "node_modules")))
	pack := newEditorHome(t).editor(t, "npm", "run", "package", "--offline")
	pack.Dir = extension
	out, err := pack.CombinedOutput()
	require.NoError(t, err, "%s", out)
	archive, err := zip.OpenReader(filepath.Join(extension, "jobline.vsix"))
	require.NoError(t, err)
	defer archive.Close()
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
	}
	want := []string{"extension.vsixmanifest", "[Content_Types].xml", "extension/package.json", "extension/readme.md", "extension/icon.svg", "extension/LICENSE.txt"}
	sources, err := filepath.Glob(filepath.Join(vscodeSource, "src", "*.ts"))
	require.NoError(t, err)
	for _, source := range sources {
		want = append(want, "extension/out/"+strings.TrimSuffix(filepath.Base(source), ".ts")+".js")
	}
	require.ElementsMatch(t, want, names)
}

// needModules skips the test where a package of Node is missing.
func needModules(t *testing.T, names ...string) {
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(nodeModules(t), name)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("there is no %s in %s; .ci/clients installs it", name, nodeModules(t))
		}
	}
}

// compileExtension compiles the extension and its stories strictly, and answers the
// program that tells one. It puts the fake where Node looks for VS Code.
func compileExtension(t *testing.T) (story string) {
	modules := nodeModules(t)
	needModules(t, "typescript", "@types/vscode")
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
