//go:build linux || darwin || freebsd

package cmd

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	vimPlugin  = "../docs/editors/vim"
	vimScripts = "testdata/editors/vim"
)

// vimEditor is a Vim that runs the plug-in with a home of its own.
type vimEditor struct {
	*editorHome
	program string
	plugin  string
}

func newVim(t *testing.T, program string) *vimEditor {
	return &vimEditor{editorHome: newEditorHome(t), program: program, plugin: absolute(t, vimPlugin)}
}

// TestEditorVim runs the plug-in in each Vim that is here. A script tests itself, and
// says passed.
func TestEditorVim(t *testing.T) {
	drivesEditors(t)
	programs := vims(t)
	t.Parallel()
	for version, program := range programs {
		for name, play := range map[string]func(*vimEditor, *testing.T){
			"start": nil, "choose": nil, "output": nil, "errors": nil, "progress": nil, "list": nil, "notice": nil,
			"trouble": nil, "bounded": nil,
			"install": (*vimEditor).isInstalled, "again": (*vimEditor).comesAgain, "windows": (*vimEditor).hasTwoWindows,
		} {
			t.Run(version+"/"+name, func(t *testing.T) {
				t.Parallel()
				v := newVim(t, program)
				if play == nil {
					require.NoError(t, v.run(t, name))
				} else {
					play(v, t)
				}
			})
		}
	}
}

// vims are the Vims that are here, by version: that of the system, and a newer one.
func vims(t *testing.T) map[string]string {
	programs := map[string]string{}
	newer := filepath.Join(clientsFolder(t), "debian13", "bin", "vim")
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
		programs[vimVersion(t, program)] = program
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
func (v *vimEditor) run(t *testing.T, script string) error {
	told := filepath.Join(v.dir, script+".told")
	c := v.editor(t, v.program, "-N", "-u", absolute(t, filepath.Join(vimScripts, "common.vim")), "-i", "NONE", "-n", "--not-a-term", "-T", "xterm-256color",
		"-S", absolute(t, filepath.Join(vimScripts, script+".vim")))
	c.Env = append(c.Env, "PLUGIN="+v.plugin, "TOLD="+told, "WORK="+v.dir)
	keys, err := c.StdinPipe() // stays open: at its end, Vim ends
	if err != nil {
		return err
	}
	defer keys.Close()
	screen, err := c.Output()
	text, readErr := os.ReadFile(told)
	if strings.TrimSpace(string(text)) != "passed" {
		return errors.Join(errors.New(script+": "+string(text)), err, readErr, errors.New(string(screen[max(0, len(screen)-2000):])))
	}
	return nil
}

// comesAgain kills the editor and the server while tasks run, and starts the editor again.
func (v *vimEditor) comesAgain(t *testing.T) {
	require.NoError(t, v.run(t, "again-1"))
	require.NoError(t, syscall.Kill(v.server(t), syscall.SIGKILL))
	require.NoError(t, v.run(t, "again-2"))
}

// hasTwoWindows runs two editors at once.
func (v *vimEditor) hasTwoWindows(t *testing.T) {
	first := make(chan error)
	go func() { first <- v.run(t, "windows-1") }()
	second := v.run(t, "windows-2")
	require.NoError(t, errors.Join(<-first, second))
}

// isInstalled runs the line of the README in a copy of the plug-in.
func (v *vimEditor) isInstalled(t *testing.T) {
	_, line, _ := strings.Cut(readText(t, filepath.Join(v.plugin, "README.md")), "```sh\n")
	line, _, _ = strings.Cut(line, "```")
	clone := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(clone, "docs/editors/vim"), os.DirFS(v.plugin)))
	v.plugin = "" // the one of the home is found by Vim
	line = strings.Replace(line, "vim -es", v.program+" -es", 1)
	install := v.editor(t, "sh", "-ec", line+"\n"+line) // the second time upgrades
	install.Dir = clone
	editorOutput(t, install)
	require.NoError(t, v.run(t, "install"))
}

// inTerminal starts a Vim in a terminal, with a script as its vimrc.
func (v *vimEditor) inTerminal(t *testing.T, script string) *editorTerminal {
	v.env = append(v.env, "PLUGIN="+v.plugin)
	return v.editorHome.inTerminal(t, v.program, "-N", "-u", absolute(t, filepath.Join(vimScripts, script)), "-i", "NONE", "-n")
}

// TestEditorVimTerminal types commands. No output, message or list waits for a key, and each
// key that comes next does what it does.
func TestEditorVimTerminal(t *testing.T) {
	drivesEditors(t)
	programs := vims(t)
	t.Parallel()
	for version, program := range programs {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			e := newVim(t, program).inTerminal(t, "terminal.vim")
			e.shows(`^~$`)
			for _, step := range []struct {
				keys  []string
				shown string
			}{
				{[]string{":Jobline run echo first", "Enter"}, `^first$`},
				{[]string{":Jobline run echo second", "Enter"}, `^second$`},
				{[]string{":Jobline run echo main.c:1: third; exit 1", "Enter"}, `^main.c:1: third$`},
				{nil, `1 place in the quickfix list`},
				{[]string{":Jobline again", "Enter"}, `║ [0-9a-f]{8} completed echo second +║`},
				{[]string{"j", "Enter"}, `^second$`},
				{[]string{":Jobline submit sleep durationMs=300", "Enter"}, `^sleep {"durationMs":300} +completed`},
				{nil, `^\[completed after .*\]$`},
				{[]string{":Jobline run echo fourth; sleep 600", "Enter"}, `^fourth$`},
				{[]string{":Jobline list", "Enter"}, `running .* echo fourth`},
				{[]string{"jc"}, `cancelled .* echo fourth`},
			} {
				if step.keys != nil {
					e.keys(step.keys...)
				}
				e.shows(step.shown)
			}
		})
	}
}

// TestEditorVimScreen keeps the screen in the plug-in's README true.
func TestEditorVimScreen(t *testing.T) {
	drivesEditors(t)
	programs := vims(t)
	t.Parallel()
	for version, program := range programs {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			newVim(t, program).inTerminal(t, "screen.vim").showsScreenOf(filepath.Join(vimPlugin, "README.md"))
		})
	}
}
