//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

// editorHome is a folder in which an editor and its server are alone.
type editorHome struct {
	dir string
	env []string
}

func newEditorHome(t *testing.T) editorHome {
	dir, err := os.MkdirTemp("", "ed") // the path of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	h := editorHome{dir: dir, env: append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "TERM=xterm-256color", "SHELL=/bin/sh")}
	for _, name := range []string{"RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "DATA_HOME", "CACHE_HOME"} {
		h.env = append(h.env, "XDG_"+name+"="+dir)
	}
	t.Cleanup(func() {
		_ = h.command(context.WithoutCancel(t.Context()), "jobline", "shutdown", "--mode", "cancel").Run()
	})
	return h
}

func (h *editorHome) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = h.dir, h.env
	return c
}

// neovimScript is a Neovim that runs a script; what the script says is its stdout.
func (h *editorHome) neovimScript(t *testing.T, ctx context.Context, nvim, script string) *exec.Cmd {
	from, err := filepath.Abs("testdata/editors/neovim")
	require.NoError(t, err)
	plugin, err := filepath.Abs("../docs/editors/neovim")
	require.NoError(t, err)
	require.NoError(t, copyFile(filepath.Join(from, "lib.lua"), filepath.Join(h.dir, "lib.lua")))
	c := h.command(ctx, nvim, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-l", filepath.Join(from, script))
	c.Env = append(c.Env, "PLUGIN="+plugin)
	return c
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// editorOutput answers what an editor says on stdout; it must exit with 0.
func editorOutput(t *testing.T, c *exec.Cmd) string {
	told, err := c.Output()
	var stderr []byte
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		stderr = exit.Stderr
	}
	require.NoError(t, err, "%s\n%s", told, stderr)
	return string(told)
}

// TestEditorNeovim drives the plug-in in a real Neovim, with a real server.
func TestEditorNeovim(t *testing.T) {
	drivesEditors(t)
	nvim := neovim(t)
	for _, column := range []string{"start", "choose", "output", "errors", "progress", "list", "notice", "again", "windows", "trouble", "bounded"} {
		t.Run(column, func(t *testing.T) {
			h := newEditorHome(t)
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			h.env = append(h.env, "JOBLINE_LIMIT=60", "TASKS="+strconv.Itoa(10))
			var told string
			switch column {
			case "again":
				h.killedNeovim(t, ctx, nvim)
				told = editorOutput(t, h.neovimScript(t, ctx, nvim, "again2.lua"))
			case "windows":
				first := h.neovimScript(t, ctx, nvim, "windows1.lua")
				require.NoError(t, first.Start())
				told = editorOutput(t, h.neovimScript(t, ctx, nvim, "windows2.lua"))
				require.NoError(t, first.Wait())
			default:
				told = editorOutput(t, h.neovimScript(t, ctx, nvim, column+".lua"))
			}
			h.more(t, ctx, nvim, column)
			require.Equal(t, readText(t, filepath.Join("testdata/editors/neovim", column+".txt")), told)
		})
	}
}

// more looks at what is left when the editor has gone.
func (h *editorHome) more(t *testing.T, ctx context.Context, nvim, column string) {
	switch column {
	case "start":
		listed, err := h.command(ctx, "jobline", "list").Output()
		require.NoError(t, err)
		require.Regexp(t, `running.*sleep 600`, string(listed), "the task goes on")
		// A client of language servers that knows nothing of jobline drives it, too.
		plain, err := filepath.Abs(filepath.Join(clientsDir, "lsp.lua"))
		require.NoError(t, err)
		told := editorOutput(t, h.command(ctx, nvim, "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile "+plain, "-c", "qa!"))
		require.Contains(t, told, "exit 0\nafter the stop: running\nthen: cancelled\nexit 0\n")
		h.install(t, ctx, nvim)
	case "bounded":
		pause := readText(t, filepath.Join(h.dir, "pause"))
		t.Log(pause)
	}
}

// install runs the line of the README that installs the plug-in, twice: the second time
// upgrades it.
func (h *editorHome) install(t *testing.T, ctx context.Context, nvim string) {
	line := regexp.MustCompile("(?s)```sh\n(.*?)\n```").FindStringSubmatch(readText(t, "../docs/editors/neovim/README.md"))
	require.NotNil(t, line)
	env := append(h.env, "XDG_DATA_HOME="+filepath.Join(h.dir, ".local", "share"), "PATH="+filepath.Dir(nvim)+string(os.PathListSeparator)+os.Getenv("PATH"))
	again := "; ! test -e ~/.local/share/nvim/site/pack/jobline/start/jobline/neovim" // which a copy into the first would be
	c := h.command(ctx, "sh", "-c", line[1]+"\n"+line[1]+again)
	c.Dir, c.Env = "..", env
	told, err := c.CombinedOutput()
	require.NoError(t, err, "%s", told)
	c = h.command(ctx, nvim, "--headless", "-i", "NONE", "+help jobline-keys", "+call writefile([expand('%:t'), exists(':Jobline')], 'found')", "+qa!")
	c.Env = env
	require.NoError(t, c.Run())
	require.Equal(t, "jobline.txt\n2\n", readText(t, filepath.Join(h.dir, "found")))
}

// killedNeovim runs an editor whose tasks go on, kills it, and lets two of them end.
func (h *editorHome) killedNeovim(t *testing.T, ctx context.Context, nvim string) {
	first := h.neovimScript(t, ctx, nvim, "again1.lua")
	require.NoError(t, first.Start())
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(h.dir, "ready"))
		return err == nil
	}, clientPatience, 20*time.Millisecond)
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait())
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, "go"), nil, 0o600))
	require.Eventually(t, func() bool {
		ended, err := h.command(ctx, "jobline", "list", "--json", "--state", "completed,failed").Output()
		return err == nil && regexp.MustCompile(`"id"`).Match(ended) && len(regexp.MustCompile(`"finishedAt"`).FindAll(ended, -1)) == 2
	}, clientPatience, 50*time.Millisecond)
}

// tmuxPatience is how long one call of tmux may take.
const tmuxPatience = 2 * time.Second

// TestEditorNeovimScreen keeps the screen in the plug-in's README true: it is what a
// person sees in a terminal.
func TestEditorNeovimScreen(t *testing.T) {
	drivesEditors(t)
	nvim := neovim(t)
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux; .ci/clients installs it")
	}
	h := newEditorHome(t)
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	init, err := filepath.Abs("testdata/editors/neovim/screen.lua")
	require.NoError(t, err)
	plugin, err := filepath.Abs("../docs/editors/neovim")
	require.NoError(t, err)
	h.env = append(h.env, "PLUGIN="+plugin)
	tmux := func(args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tmuxPatience)
		defer cancel()
		file, err := os.Create(filepath.Join(h.dir, "screen")) // and no pipe, which the server would keep open
		require.NoError(t, err)
		defer file.Close()
		c := h.command(ctx, "tmux", append([]string{"-S", filepath.Join(h.dir, "tmux"), "-f", os.DevNull}, args...)...)
		c.Stdout = file
		err = c.Run()
		return readText(t, file.Name()), err
	}
	_, err = tmux("new-session", "-d", "-x", "88", "-y", "24", nvim, "-u", init, "-i", "NONE", "-n")
	require.NoError(t, err)
	defer func() { _, _ = tmux("kill-server") }() // the folder of its socket goes, too
	found := regexp.MustCompile("(?s)<!-- screen -->\n```\n(.*?)```\n").FindStringSubmatch(readText(t, filepath.Join(plugin, "README.md")))
	require.NotNil(t, found)
	var shown string
	for ctx.Err() == nil {
		time.Sleep(100 * time.Millisecond)
		captured, err := tmux("capture-pane", "-p") // which can hang while the screen is drawn
		if shown = timeless(captured); err == nil && shown == timeless(found[1]) {
			return
		}
	}
	require.Equal(t, timeless(found[1]), shown)
}

var (
	listedID   = regexp.MustCompile(`\b[0-9a-f]{8}((-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b`)
	listedTime = regexp.MustCompile(` +[0-9.]+s  `)
)

// timeless replaces what differs from run to run on a screen with the list of tasks.
func timeless(screen string) string {
	return listedTime.ReplaceAllString(listedID.ReplaceAllString(screen, "5ec0ffee"), "    1.2s  ")
}
