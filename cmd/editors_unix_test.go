//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// editorPatience is how long one editor may run in a test. The waits of the scripts that
	// drive the editors are shorter, so that these tell what did not come.
	editorPatience = 2 * time.Minute
	// lookPatience is how long each look at an editor may take that did not end.
	lookPatience = 5 * time.Second
)

// editorHome is a folder in which an editor and its server are alone.
type editorHome struct {
	dir string
	env []string
}

func newEditorHome(t *testing.T) *editorHome {
	t.Helper()
	dir, err := os.MkdirTemp("", "ed") // the path of a socket must be short
	require.NoError(t, err)
	h := &editorHome{dir: dir, env: append(os.Environ(), "HOME="+dir, "LC_ALL=C.UTF-8", "TERM=xterm-256color", "SHELL=/bin/sh",
		socketVariable+"=", "JOBLINE_IDLE=1m")} // where the end of the test is not reached
	for _, name := range []string{"RUNTIME_DIR", "STATE_HOME", "CONFIG_HOME", "DATA_HOME", "CACHE_HOME"} {
		h.env = append(h.env, "XDG_"+name+"="+dir)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), editorPatience)
		defer cancel()
		out, err := h.command(ctx, "jobline", "shutdown", "--mode=cancel").CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, editorPatience, 10*time.Millisecond)
	})
	return h
}

// command is a program that runs at home until it ends or ctx does.
func (h *editorHome) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = h.dir, slices.Clone(h.env) // two editors may add to it at once
	return c
}

// jobline answers what a command of jobline writes to stdout.
func (h *editorHome) jobline(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), editorPatience)
	defer cancel()
	out, err := h.command(ctx, "jobline", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.NoError(t, err, "%s", exit.Stderr)
	}
	require.NoError(t, err)
	return string(out)
}

// server is the process of the server.
func (h *editorHome) server(t *testing.T) (pid int) {
	t.Helper()
	var stats struct{ PID int }
	require.NoError(t, json.Unmarshal([]byte(h.jobline(t, "stats", "--json")), &stats))
	return stats.PID
}

// editor is an editor that runs at home. If it has not ended after editorPatience, the test
// fails with what the processes and the server were doing, and the editor is killed.
func (h *editorHome) editor(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), editorPatience)
	t.Cleanup(cancel)
	c := h.command(ctx, name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = lookPatience // a process that the editor leaves behind may hold its output
	c.Cancel = func() error {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Errorf("%s has not ended after %v\n%s", name, editorPatience, h.look(c.Process.Pid))
		}
		return syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	}
	return c
}

// look tells what the processes of an editor, its server and the tasks are doing.
func (h *editorHome) look(pid int) string {
	ctx, cancel := context.WithTimeout(context.Background(), 3*lookPatience)
	defer cancel()
	var b strings.Builder
	for _, question := range [][]string{{"jobline", "list", "--no-start"}, {"jobline", "doctor"}} {
		out, err := h.command(ctx, question[0], question[1:]...).CombinedOutput()
		fmt.Fprintf(&b, "$ %s\n%s%v\n", strings.Join(question, " "), out, err)
	}
	out, err := h.command(ctx, "ps", "-A", "-o", "pid,ppid,stat,time,args").Output()
	fmt.Fprintf(&b, "processes: %v\n%s\n", err, descendants(string(out), pid))
	logs, _ := filepath.Glob(filepath.Join(h.dir, "jobline", "*", "serve.log"))
	for _, log := range logs {
		text, _ := os.ReadFile(log)
		fmt.Fprintf(&b, "%s:\n%s\n", log, text[max(0, len(text)-4096):])
	}
	return b.String()
}

// descendants are the lines that ps has of a process and those that it has started.
func descendants(listed string, pid int) string {
	var lines []string
	family := []string{strconv.Itoa(pid)}
	for line := range strings.Lines(listed) { // ordered by time of start, but for numbers that are used again
		if fields := strings.Fields(line); len(fields) > 1 && (slices.Contains(family, fields[0]) || slices.Contains(family, fields[1])) {
			family = append(family, fields[0])
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// editorOutput answers what an editor writes to stdout. It must exit with 0.
func editorOutput(t *testing.T, c *exec.Cmd) string {
	t.Helper()
	told, err := c.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		require.NoError(t, err, "%s\n%s", told, exit.Stderr)
	}
	require.NoError(t, err, "%s", told)
	return string(told)
}

// absolute is the path of a file of the repository, whatever the folder of the process.
func absolute(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	require.NoError(t, err)
	return whole
}

// eventually waits until a condition holds, as long as an editor may run.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, editorPatience, 20*time.Millisecond, what)
}
