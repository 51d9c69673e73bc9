//go:build linux

package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

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
		"system": "emacs", "debian13": filepath.Join(clientsFolder(t), "debian13", "bin", "emacs"),
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
	versions := emacsVersions(t)
	t.Parallel()
	for version, program := range versions {
		for scene, play := range map[string]func(*emacsEditor, *testing.T){
			"start": nil, "choose": nil, "output": nil, "errors": nil, "progress": nil, "list": nil, "notice": nil, "lost": nil, "trouble": nil, "bounded": nil,
			"lint": (*emacsEditor).lintsPackage, "install": (*emacsEditor).isInstalled, "again": (*emacsEditor).comesAgain, "killed": (*emacsEditor).isKilled, "windows": (*emacsEditor).hasTwoWindows,
		} {
			t.Run(version+"/"+scene, func(t *testing.T) {
				t.Parallel()
				e := newEmacs(t, program)
				if play == nil {
					e.play(t, scene)
				} else {
					play(e, t)
				}
			})
		}
	}
}

// emacsEditor is an Emacs with a home of its own, in which it finds variables.
type emacsEditor struct {
	*editorHome
	program string
	folder  string // of the package
}

func newEmacs(t *testing.T, program string) *emacsEditor {
	e := &emacsEditor{newEditorHome(t), program, emacsPackage}
	e.env = append(e.env, "FRUIT=plum", "API_TOKEN=s3cret")
	return e
}

// compilesPackage has the package compiled from now on, as it is where it was installed.
func (e *emacsEditor) compilesPackage(t *testing.T) {
	text := readText(t, filepath.Join(emacsPackage, "jobline.el"))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "jobline.el"), []byte(text), 0o600))
	editorOutput(t, e.editor(t, e.program, "-Q", "--batch", "-f", "batch-byte-compile", "jobline.el"))
	e.folder = e.dir
}

// lintsPackage: the package compiles without a warning, and has the docs that
// checkdoc and package-lint ask for.
func (e *emacsEditor) lintsPackage(t *testing.T) {
	text := readText(t, filepath.Join(emacsPackage, "jobline.el"))
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "jobline.el"), []byte(text), 0o600))
	for name, args := range map[string][]string{
		"compile":  {"-f", "batch-byte-compile", "jobline.el"},
		"checkdoc": {"--eval", `(progn (require 'checkdoc) (checkdoc-file "jobline.el"))`},
		"package-lint": {"--eval", elpa, "--eval", "(unless (require 'package-lint nil t) (kill-emacs 0))",
			"-f", "package-lint-batch-and-exit", "jobline.el"},
	} {
		cmd := e.editor(t, e.program, append([]string{"-Q", "--batch", "--eval", "(setq native-comp-enable-subr-trampolines nil)"}, args...)...)
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

// isInstalled runs the line of the README, twice: the second time upgrades. The next Emacs has
// the package, compiled.
func (e *emacsEditor) isInstalled(t *testing.T) {
	_, line, _ := strings.Cut(readText(t, filepath.Join(emacsPackage, "README.md")), "```sh\n")
	line, _, _ = strings.Cut(line, "```")
	require.True(t, strings.HasPrefix(line, "emacs "), line)
	line = strings.Replace(line, "emacs", e.program, 1)
	install := e.editor(t, "sh", "-ec", line+line)
	install.Dir = ".."
	editorOutput(t, install)
	require.Regexp(t, `^\S*/elpa/jobline-[0-9.]+/jobline\.elc t$`, editorOutput(t, e.editor(t, e.program, "--batch", "--eval",
		`(progn (package-activate-all) (jobline-mode) (princ (format "%s %s" (locate-library "jobline") jobline-mode)))`)))
}

// comesAgain ends Emacs while a task of it runs. The next Emacs tells of the end.
func (e *emacsEditor) comesAgain(t *testing.T) {
	e.play(t, "leave")
	e.findsItsTask(t)
}

// isKilled is as comesAgain, where Emacs is killed.
func (e *emacsEditor) isKilled(t *testing.T) {
	_, err := e.run(t, "leave", "KILLED=yes")
	require.EqualError(t, err, "signal: killed")
	e.findsItsTask(t)
}

func (e *emacsEditor) findsItsTask(t *testing.T) {
	require.NoError(t, os.WriteFile(filepath.Join(e.dir, "go"), nil, 0o600))
	e.jobline(t, "wait", "owner=emacs")
	e.play(t, "again")
}

// hasTwoWindows shows what a second Emacs runs in the first.
func (e *emacsEditor) hasTwoWindows(t *testing.T) {
	e.play(t, "windows", "OTHER=exec "+e.program+" -Q --batch -L "+absolute(t, emacsPackage)+
		` --eval '(progn (require (quote jobline)) (jobline-run "echo from the other; sleep 601") (dotimes (_ 100) (accept-process-output nil 1)))'`)
}

// play plays a scene in an Emacs of its own, and fails the test where it fails.
func (e *emacsEditor) play(t *testing.T, scene string, env ...string) {
	t.Helper()
	screen, err := e.run(t, scene, env...)
	require.NoError(t, err, screen)
}

// run plays a scene, and answers what went wrong and the last screen.
func (e *emacsEditor) run(t *testing.T, scene string, env ...string) (shown string, failed error) {
	t.Helper()
	failure := filepath.Join(e.dir, "failure")
	c := e.editor(t, e.program, "-nw", "-Q", "-L", absolute(t, e.folder),
		"-l", absolute(t, filepath.Join(emacsScenes, "drive.el")), "-l", absolute(t, filepath.Join(emacsScenes, "scenes.el")), "-f", "play")
	c.Env = append(append(c.Env, "SCENE="+scene, "FAILURE="+failure, "TERM=vt100"), env...)
	screen, tty := openTerminal(t)
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	require.NoError(t, tty.Close())
	v, drawn := newVirtualTerminal(100, 24), make(chan struct{})
	defer v.Close()
	go func() { _, _ = io.Copy(io.Discard, v.Emulator) }() // what it answers to Emacs, which asks nothing
	go func() {
		defer close(drawn)
		_, _ = io.Copy(v.Emulator, screen) // the end of a terminal is an error
	}()
	failed = c.Wait()
	select {
	case <-drawn:
	case <-time.After(lookPatience): // another process has the terminal, too
	}
	require.NoError(t, screen.Close())
	<-drawn
	if said, err := os.ReadFile(failure); err == nil {
		failed = errors.New(string(said))
	}
	return v.text(), failed
}

// TestEditorEmacsScreen is the screen that the README of the package shows: the list, and
// a task whose output has an error. Times and ids are replaced.
func TestEditorEmacsScreen(t *testing.T) {
	drivesEditors(t)
	program, err := exec.LookPath("emacs")
	if err != nil {
		t.Skip("there is no Emacs; .ci/clients installs it")
	}
	t.Parallel()
	screen, err := newEmacs(t, program).run(t, "screen")
	require.EqualError(t, err, "signal: killed", screen)
	screen = regexp.MustCompile(`\b[0-9a-f]{8}\b`).ReplaceAllString(screen, "0123abcd")
	screen = regexp.MustCompile(`\b[0-9.]+m?s  +`).ReplaceAllStringFunc(screen, func(time string) string { return fmt.Sprintf("%-*s", len(time), "0s") })
	screen = regexp.MustCompile(`\b[0-9.]+m?s\b`).ReplaceAllString(screen, "0s")
	file := filepath.Join(emacsScenes, "screen.txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(screen), 0o644))
	}
	require.Equal(t, readText(t, file), screen, "go test ./cmd -run Screen -update writes it anew")
}
