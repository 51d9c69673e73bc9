//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// tmuxPatience is how long one call of tmux may take.
const tmuxPatience = 5 * time.Second

// editorTerminal is an editor in a terminal, as a person uses it.
type editorTerminal struct {
	t    *testing.T
	home *editorHome
	ctx  context.Context // ends when the editor has had its time
}

// inTerminal starts an editor in a terminal of 88 columns and 24 lines, or skips the test.
// The editor ends with the test.
func (h *editorHome) inTerminal(t *testing.T, command ...string) *editorTerminal {
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux; .ci/clients installs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), editorPatience)
	t.Cleanup(cancel)
	e := &editorTerminal{t: t, home: h, ctx: ctx}
	_, err := e.tmux(append([]string{"new-session", "-d", "-x", "88", "-y", "24"}, command...)...)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = e.tmux("kill-server") }) // the folder of its socket goes, too
	return e
}

func (e *editorTerminal) tmux(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), tmuxPatience)
	defer cancel()
	file, err := os.Create(filepath.Join(e.home.dir, "screen")) // and no pipe, which the server would keep open
	require.NoError(e.t, err)
	defer file.Close()
	c := e.home.command(ctx, "tmux", append([]string{"-S", filepath.Join(e.home.dir, "tmux"), "-f", os.DevNull}, args...)...)
	c.Stdout = file
	err = c.Run()
	return readText(e.t, file.Name()), err
}

// keys presses keys: a text, or the name of one, such as Enter.
func (e *editorTerminal) keys(keys ...string) {
	e.t.Helper()
	_, err := e.tmux(append([]string{"send-keys"}, keys...)...)
	require.NoError(e.t, err)
}

// await waits until the screen is as it should be, and answers the last one.
func (e *editorTerminal) await(isRight func(screen string) bool) (screen string, right bool) {
	for e.ctx.Err() == nil {
		time.Sleep(50 * time.Millisecond)
		captured, err := e.tmux("capture-pane", "-p") // which can hang while the screen is drawn
		if err != nil {
			continue
		}
		if screen = captured; isRight(screen) {
			return screen, true
		}
	}
	return screen, false
}

// shows waits until the screen matches a pattern.
func (e *editorTerminal) shows(pattern string) {
	e.t.Helper()
	screen, right := e.await(regexp.MustCompile("(?m)" + pattern).MatchString)
	require.True(e.t, right, "%s is not on the screen:\n%s\n%s", pattern, screen, e.home.look(os.Getpid()))
}

// showsScreenOf waits until the screen is the one in a README, but for times and ids.
func (e *editorTerminal) showsScreenOf(readme string) {
	e.t.Helper()
	found := regexp.MustCompile("(?s)<!-- screen -->\n```\n(.*?)```\n").FindStringSubmatch(readText(e.t, readme))
	require.NotNil(e.t, found)
	want := timeless(found[1])
	if screen, right := e.await(func(screen string) bool { return timeless(screen) == want }); !right {
		require.Equal(e.t, want, timeless(screen))
	}
}

var (
	listedID   = regexp.MustCompile(`\b[0-9a-f]{8}((-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b`)
	listedTime = regexp.MustCompile(` +([0-9]+m)?[0-9.]+m?s  `)
)

// timeless replaces what differs from run to run on a screen with the list of tasks.
func timeless(screen string) string {
	return listedTime.ReplaceAllString(listedID.ReplaceAllString(screen, "5ec0ffee"), "    1.2s  ")
}
