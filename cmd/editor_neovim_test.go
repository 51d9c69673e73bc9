//go:build linux || darwin || freebsd

package cmd

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	neovimPlugin  = "../docs/editors/neovim"
	neovimScripts = "testdata/editors/neovim"
)

// neovimOld matches the versions that the plug-in does not support.
var neovimOld = regexp.MustCompile(`^NVIM v0\.[0-9]\.`)

// neovim answers the path of Neovim 0.10 or newer, or skips the test.
func neovim(t *testing.T) string {
	for _, path := range []string{filepath.Join(clientsFolder(t), "debian13", "bin", "nvim"), "nvim"} {
		told, err := exec.CommandContext(t.Context(), path, "--version").Output()
		if err == nil && !neovimOld.Match(told) {
			return path
		}
	}
	t.Skip("there is no Neovim 0.10 or newer; .ci/clients brings it")
	return ""
}

// neovimEditor is a Neovim that runs the plug-in in a home of its own.
type neovimEditor struct {
	*editorHome
	program string
}

// script is a Neovim that runs a script; what the script says is its stdout.
func (n *neovimEditor) script(t *testing.T, name string) *exec.Cmd {
	c := n.editor(t, n.program, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-l", absolute(t, filepath.Join(neovimScripts, name+".lua")))
	c.Env = append(c.Env, "PLUGIN="+absolute(t, neovimPlugin), "SCRIPTS="+absolute(t, neovimScripts))
	return c
}

// TestEditorNeovim drives the plug-in in a real Neovim, with a real server.
func TestEditorNeovim(t *testing.T) {
	drivesEditors(t)
	nvim := neovim(t)
	t.Parallel()
	for column, play := range map[string]func(*neovimEditor, *testing.T) string{
		"start": (*neovimEditor).starts, "choose": nil, "output": nil, "errors": nil, "progress": nil, "list": nil, "notice": nil,
		"again": (*neovimEditor).comesAgain, "windows": (*neovimEditor).hasTwoWindows, "trouble": nil, "bounded": nil,
	} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			n := &neovimEditor{newEditorHome(t), nvim}
			n.env = append(n.env, "JOBLINE_LIMIT=60", "TASKS=10")
			var told string
			if play == nil {
				told = editorOutput(t, n.script(t, column))
			} else {
				told = play(n, t)
			}
			require.Equal(t, readText(t, filepath.Join(neovimScripts, column+".txt")), told)
			if pause, err := os.ReadFile(filepath.Join(n.dir, "pause")); err == nil {
				t.Logf("%s", pause)
			}
		})
	}
}

// starts leaves a task, which goes on, and installs the plug-in.
func (n *neovimEditor) starts(t *testing.T) string {
	told := editorOutput(t, n.script(t, "start"))
	require.Regexp(t, `running.*sleep 600`, n.jobline(t, "list"), "the task goes on")
	// A client of language servers that knows nothing of jobline drives it, too.
	plain := absolute(t, filepath.Join(clientsDir, "lsp.lua"))
	require.Contains(t, editorOutput(t, n.editor(t, n.program, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile "+plain, "-c", "qa!")),
		"exit 0\nafter the stop: running\nthen: cancelled\nexit 0\n")
	n.isInstalled(t)
	return told
}

// isInstalled runs the line of the README that installs the plug-in, twice: the second time
// upgrades it.
func (n *neovimEditor) isInstalled(t *testing.T) {
	line := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindStringSubmatch(readText(t, filepath.Join(neovimPlugin, "README.md")))
	require.NotNil(t, line)
	env := append(n.env, "XDG_DATA_HOME="+filepath.Join(n.dir, ".local", "share"), "PATH="+filepath.Dir(n.program)+string(os.PathListSeparator)+os.Getenv("PATH"))
	again := "; ! test -e ~/.local/share/nvim/site/pack/jobline/start/jobline/neovim" // which a copy into the first would be
	c := n.editor(t, "sh", "-c", line[1]+"\n"+line[1]+again)
	c.Dir, c.Env = "..", env
	editorOutput(t, c)
	c = n.editor(t, n.program, "--headless", "-i", "NONE", "+help jobline-keys", "+call writefile([expand('%:t'), exists(':Jobline')], 'found')", "+qa!")
	c.Env = env
	editorOutput(t, c)
	require.Equal(t, "jobline.txt\n2\n", readText(t, filepath.Join(n.dir, "found")))
}

// comesAgain kills an editor whose tasks go on, lets two of them end, and starts another.
func (n *neovimEditor) comesAgain(t *testing.T) string {
	first := n.script(t, "again1")
	var told bytes.Buffer
	first.Stdout, first.Stderr = &told, &told
	var exit *exec.ExitError
	require.ErrorAs(t, first.Run(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), told.String()) // by itself
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, "go"), nil, 0o600))
	eventually(t, "the ends of two tasks", func() bool {
		return len(regexp.MustCompile(`"finishedAt"`).FindAllString(n.jobline(t, "list", "--json", "--state", "completed,failed"), -1)) == 2
	})
	return editorOutput(t, n.script(t, "again2"))
}

// hasTwoWindows runs two editors at once.
func (n *neovimEditor) hasTwoWindows(t *testing.T) string {
	first := n.script(t, "windows1")
	var said bytes.Buffer
	first.Stdout, first.Stderr = &said, &said
	require.NoError(t, first.Start())
	told, err := n.script(t, "windows2").CombinedOutput()
	firstErr := first.Wait()
	require.NoError(t, errors.Join(err, firstErr), "%s\nthe first:\n%s", told, &said)
	return string(told)
}

// TestEditorNeovimScreen keeps the screen in the plug-in's README true.
func TestEditorNeovimScreen(t *testing.T) {
	drivesEditors(t)
	nvim := neovim(t)
	t.Parallel()
	h := newEditorHome(t)
	h.env = append(h.env, "PLUGIN="+absolute(t, neovimPlugin))
	h.inTerminal(t, nvim, "-u", absolute(t, filepath.Join(neovimScripts, "screen.lua")), "-i", "NONE", "-n").showsScreenOf(filepath.Join(neovimPlugin, "README.md"))
}
