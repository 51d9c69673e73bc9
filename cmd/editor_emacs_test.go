//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	emacsPackage = "../docs/editors/emacs"
	emacsScenes  = "testdata/editors/emacs"
)

// emacsVersions are the Emacs of this system, and the one of Debian 13 where .ci/clients
// has brought it.
func emacsVersions(t *testing.T) map[string]string {
	found := map[string]string{}
	for name, program := range map[string]string{
		"system": "emacs", "debian13": filepath.Join(filepath.Dir(nodeModules(t)), "debian13", "bin", "emacs"),
	} {
		if path, err := exec.LookPath(program); err == nil {
			found[name] = path
		}
	}
	if len(found) == 0 {
		t.Skip("there is no Emacs; .ci/clients installs it")
	}
	return found
}

// TestEditorEmacs drives the package for Emacs by real ones, without a screen. Each
// scene is a function of scenes.el.
func TestEditorEmacs(t *testing.T) {
	for version, emacs := range emacsVersions(t) {
		t.Run(version, func(t *testing.T) {
			for _, scene := range []string{"start"} {
				t.Run(scene, func(t *testing.T) { runEmacsScene(t, emacs, scene) })
			}
		})
	}
}

// runEmacsScene runs a scene in an Emacs with an empty home and a server of its own.
func runEmacsScene(t *testing.T, emacs, scene string) {
	daemonHome(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("FRUIT", "plum")
	t.Setenv("API_TOKEN", "s3cret")
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, emacs, "-Q", "--batch", "-L", emacsPackage, "-l", filepath.Join(emacsScenes, "drive.el"),
		"-l", filepath.Join(emacsScenes, "scenes.el"), "-f", "scene-"+scene)
	told, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", told)
}
