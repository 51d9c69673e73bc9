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
	case "bounded":
		pause := readText(t, filepath.Join(h.dir, "pause"))
		t.Log(pause)
	}
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
