//go:build linux

package cmd

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
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

// TestEditorEmacs drives the package for Emacs by real ones in a terminal. Each scene is
// a function of scenes.el.
func TestEditorEmacs(t *testing.T) {
	drivesEditors(t)
	for version, emacs := range emacsVersions(t) {
		t.Run(version, func(t *testing.T) {
			for _, scene := range []string{
				"start", "choose", "output", "errors", "progress", "list", "notice", "trouble", "bounded",
			} {
				t.Run(scene, func(t *testing.T) {
					emacsHome(t)
					playEmacsScene(t, emacs, scene)
				})
			}
			t.Run("lint", func(t *testing.T) { lintEmacsPackage(t, emacs) })
			t.Run("again", func(t *testing.T) { emacsComesBack(t, emacs) })
			t.Run("windows", func(t *testing.T) { emacsSharesItsQueue(t, emacs) })
		})
	}
}

// lintEmacsPackage: the package compiles without a warning, and has the docs that
// checkdoc and package-lint ask for.
func lintEmacsPackage(t *testing.T, emacs string) {
	dir := t.TempDir()
	text := readText(t, filepath.Join(emacsPackage, "jobline.el"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "jobline.el"), []byte(text), 0o600))
	for name, args := range map[string][]string{
		"compile":  {"-f", "batch-byte-compile", "jobline.el"},
		"checkdoc": {"--eval", `(progn (require 'checkdoc) (checkdoc-file "jobline.el"))`},
		"package-lint": {"--eval", elpa, "--eval", "(unless (require 'package-lint nil t) (kill-emacs 0))",
			"-f", "package-lint-batch-and-exit", "jobline.el"},
	} {
		cmd := exec.CommandContext(t.Context(), emacs, append([]string{"-Q", "--batch", "--eval", "(setq native-comp-enable-subr-trampolines nil)"}, args...)...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		var told []string
		for line := range strings.Lines(string(out)) {
			// A package-lint that is older than Emacs 28 does not know it.
			if !strings.HasPrefix(line, "Entering directory") && !strings.Contains(line, "uninstallable in all released Emacs") {
				told = append(told, line)
			}
		}
		require.Empty(t, told, name)
		if name != "package-lint" {
			require.NoError(t, err, name)
		}
	}
}

// emacsComesBack ends Emacs, and kills another, while a task of theirs runs. Each time
// the next Emacs tells of the end.
func emacsComesBack(t *testing.T, emacs string) {
	for _, killed := range []string{"", "yes"} {
		emacsHome(t)
		t.Setenv("KILLED", killed)
		if killed == "" {
			playEmacsScene(t, emacs, "leave")
		} else {
			err := emacsScene(t, t.Context(), emacs, "leave").run()
			require.ErrorContains(t, err, "signal: killed")
		}
		require.NoError(t, os.WriteFile(filepath.Join(os.Getenv("HOME"), "go"), nil, 0o600))
		out, err := exec.Command("jobline", "wait", "owner=emacs").CombinedOutput()
		require.NoError(t, err, "%s", out)
		playEmacsScene(t, emacs, "again")
	}
}

// emacsSharesItsQueue shows what a second Emacs runs in the first.
func emacsSharesItsQueue(t *testing.T, emacs string) {
	emacsHome(t)
	playEmacsScene(t, emacs, "windows", "OTHER=exec "+emacs+" -Q --batch -L "+emacsPackage+
		` --eval '(progn (require (quote jobline)) (jobline-run "echo from the other; sleep 601") (while t (accept-process-output nil 1)))'`)
}

// emacsHome gives Emacs an empty home, and a server of its own.
func emacsHome(t *testing.T) {
	daemonHome(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("FRUIT", "plum")
	t.Setenv("API_TOKEN", "s3cret")
}

// emacsProgram is an Emacs in a terminal that plays a scene.
type emacsProgram struct {
	*exec.Cmd
	screen, tty *os.File
	failure     string // the file with what went wrong
}

func emacsScene(t *testing.T, ctx context.Context, emacs, scene string, env ...string) *emacsProgram {
	p := &emacsProgram{failure: filepath.Join(t.TempDir(), "failure")}
	p.Cmd = exec.CommandContext(ctx, emacs, "-nw", "-Q", "-L", emacsPackage,
		"-l", filepath.Join(emacsScenes, "drive.el"), "-l", filepath.Join(emacsScenes, "scenes.el"), "-f", "play")
	p.Env = append(append(os.Environ(), "SCENE="+scene, "FAILURE="+p.failure, "TERM=vt100", "LC_ALL=C.UTF-8"), env...)
	p.screen, p.tty = openTerminal(t)
	p.Stdin, p.Stdout, p.Stderr = p.tty, p.tty, p.tty
	p.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return p
}

// run runs Emacs to its end.
func (p *emacsProgram) run() error {
	err := p.Start()
	if err = errors.Join(err, p.tty.Close()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, p.screen) // the end of a terminal is an error
	err = p.Wait()
	if said, _ := os.ReadFile(p.failure); len(said) > 0 {
		return errors.New(string(said))
	}
	return err
}

// playEmacsScene plays a scene, and fails the test where it fails.
func playEmacsScene(t *testing.T, emacs, scene string, env ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	require.NoError(t, emacsScene(t, ctx, emacs, scene, env...).run())
}

// TestEditorEmacsScreen is the screen that the README of the package shows: the list, and
// a task whose output has an error. Times and ids are replaced.
func TestEditorEmacsScreen(t *testing.T) {
	drivesEditors(t)
	if _, err := exec.LookPath("emacs"); err != nil {
		t.Skip("there is no Emacs; .ci/clients installs it")
	}
	emacsHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	p := emacsScene(t, ctx, "emacs", "screen")
	v := newVirtualTerminal(100, 24)
	require.NoError(t, p.Start())
	require.NoError(t, p.tty.Close())
	_, _ = io.Copy(v.Emulator, p.screen)
	err := p.Wait()
	said, _ := os.ReadFile(p.failure)
	require.EqualError(t, err, "signal: killed", "%s", said)
	screen := regexp.MustCompile(`\b[0-9a-f]{8}\b`).ReplaceAllString(v.text(), "0123abcd")
	screen = regexp.MustCompile(`\b[0-9]+ s\b`).ReplaceAllString(screen, "0 s")
	file := filepath.Join(emacsScenes, "screen.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(screen), 0o644))
	}
	require.Equal(t, readText(t, file), screen, "go test ./cmd -run Screen -update writes it anew")
}
