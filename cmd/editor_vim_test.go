//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const vimScripts = "testdata/editors/vim"

// vimEditor is a Vim that runs the plug-in with a home of its own.
type vimEditor struct {
	program string
	home    string // of the editor, and the folder in which its commands run
	plugin  string
	scope   *Scope
}

// TestEditorVim runs the plug-in in each Vim that is here. A script tests itself, and
// says passed.
func TestEditorVim(t *testing.T) {
	drivesEditors(t)
	for name, play := range map[string]func(*vimEditor, *testing.T){
		"start": nil, "choose": nil, "output": nil, "errors": nil, "progress": nil, "list": nil, "notice": nil,
		"trouble": nil, "bounded": nil,
		"install": (*vimEditor).isInstalled, "again": (*vimEditor).comesAgain, "windows": (*vimEditor).hasTwoWindows,
	} {
		t.Run(name, func(t *testing.T) {
			for _, program := range vims(t) {
				t.Run(vimVersion(t, program), func(t *testing.T) {
					plugin, err := filepath.Abs("../docs/editors/vim")
					require.NoError(t, err)
					v := &vimEditor{program: program, home: t.TempDir(), plugin: plugin, scope: daemonHome(t)}
					if play == nil {
						require.NoError(t, v.run(t.Context(), name))
					} else {
						play(v, t)
					}
				})
			}
		})
	}
}

// vims are the Vims that are here: that of the system, and a newer one.
func vims(t *testing.T) (programs []string) {
	newer := filepath.Join(filepath.Dir(nodeModules(t)), "debian13", "bin", "vim")
	for _, name := range []string{"vim", newer} {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		has, err := exec.Command(program, "-u", "NONE", "-es", "-c", "if !has('patch-9.0.321') || !has('job') || !has('textprop') | cquit | endif", "-c", "quitall!").CombinedOutput()
		if err != nil {
			t.Logf("%s is too old or too small: %s", program, has)
			continue
		}
		programs = append(programs, program)
	}
	if len(programs) == 0 {
		t.Skip("there is no Vim 9 with +job; .ci/clients installs it")
	}
	return programs
}

func vimVersion(t *testing.T, program string) string {
	out, err := exec.Command(program, "--version").Output()
	require.NoError(t, err)
	return strings.Fields(string(out))[4]
}

// run runs a script in an editor of its own, until it has told that it passed.
func (v *vimEditor) run(ctx context.Context, script string) error {
	ctx, cancel := context.WithTimeout(ctx, clientPatience)
	defer cancel()
	told := filepath.Join(v.home, script+".told")
	c := exec.CommandContext(ctx, v.program, "-N", "-u", filepath.Join(vimScripts, "common.vim"), "-i", "NONE", "-n", "--not-a-term", "-T", "xterm-256color",
		"-S", filepath.Join(vimScripts, script+".vim"))
	c.Env = append(os.Environ(), "HOME="+v.home, "PLUGIN="+v.plugin, "TOLD="+told, "WORK="+v.home, "LC_ALL=C.UTF-8")
	keys, err := c.StdinPipe() // stays open: at its end, Vim ends
	if err != nil {
		return err
	}
	defer keys.Close()
	screen, err := c.Output()
	text, readErr := os.ReadFile(told)
	if strings.TrimSpace(string(text)) != "passed" {
		return errors.Join(errors.New(script+": "+string(text)), err, readErr, errors.New(string(screen[max(0, len(screen)-1000):])))
	}
	return nil
}

// comesAgain kills the editor and the server while tasks run, and starts the editor again.
func (v *vimEditor) comesAgain(t *testing.T) {
	require.NoError(t, v.run(t.Context(), "again-1"))
	server, err := os.FindProcess(v.scope.pid(t))
	require.NoError(t, err)
	require.NoError(t, server.Kill())
	require.NoError(t, v.run(t.Context(), "again-2"))
}

// hasTwoWindows runs two editors at once.
func (v *vimEditor) hasTwoWindows(t *testing.T) {
	both, ctx := errgroup.WithContext(t.Context())
	for _, script := range []string{"windows-1", "windows-2"} {
		both.Go(func() error { return v.run(ctx, script) })
	}
	require.NoError(t, both.Wait())
}

// isInstalled runs the line of the README in a copy of the plug-in.
func (v *vimEditor) isInstalled(t *testing.T) {
	_, line, _ := strings.Cut(readText(t, filepath.Join(v.plugin, "README.md")), "```sh\n")
	line, _, _ = strings.Cut(line, "```")
	clone := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(clone, "docs/editors/vim"), os.DirFS(v.plugin)))
	v.plugin = "" // the one of the home is found by Vim
	line = strings.Replace(line, "vim -es", v.program+" -es", 1)
	install := exec.CommandContext(t.Context(), "sh", "-ec", line+"\n"+line) // the second time upgrades
	install.Dir, install.Env = clone, append(os.Environ(), "HOME="+v.home)
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, v.run(t.Context(), "install"))
}
