//go:build linux || darwin || freebsd

package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// elpa makes an Emacs that is older than Eglot find the packages of Debian.
const elpa = `(let ((default-directory "/usr/share/emacs/site-lisp/elpa/"))
  (when (file-directory-p default-directory) (normal-top-level-add-subdirs-to-load-path)))`

// TestClientsDriveALanguageServer runs the language clients of editors, which take
// jobline for a language server. They end as editors end, twice, and what they leave
// goes on meanwhile.
func TestClientsDriveALanguageServer(t *testing.T) {
	offerJobline(t)
	for _, c := range []struct {
		realClient
		story string
	}{
		{realClient{
			name: "vim.lsp", command: []string{"nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile SCRIPT", "-c", "qa!"},
			script: "lsp.lua", keepsLogs: true,
		}, `shared: true
owner Neovim exec completed
exit 0
after the stop: running
then: cancelled
exit 0
`},
		{realClient{name: "eglot", command: []string{"emacs", "-Q", "--batch", "--eval", elpa, "-l", "SCRIPT"}, script: "eglot.el"}, `shared: t
exec completed
running: nil
after the stop: running
then: cancelled
running: nil
`},
		{realClient{name: "vscode-languageclient", command: []string{"node", "SCRIPT"}, script: "languageclient.js", module: "vscode-languageclient"}, `shared: true
owner vscode exec completed
exit 0
after the stop: running
then: cancelled
exit 0
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "eglot" {
				needEglot(t)
			}
			home := t.TempDir()
			require.NoError(t, os.Chmod(home, 0o700))
			t.Setenv("JOBLINE_CLIENTS", filepath.Dir(nodeModules(t))) // which is of the HOME before
			for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_STATE_HOME"} {
				t.Setenv(name, home)
			}
			t.Setenv("HOME", home)
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			cmd := c.run(t, ctx, c.script)
			cmd.Env = append(cmd.Env, "XDG_STATE_HOME="+home, "TMPDIR="+home) // the state is the server's, too
			told, err := cmd.Output()
			end, endErr := exec.CommandContext(ctx, "jobline", "shutdown", "--mode", "cancel").CombinedOutput()
			require.NoError(t, err, "%s", told)
			require.Equal(t, c.story, string(told))
			require.NoError(t, endErr, "%s", end)
		})
	}
}

// needEglot skips the test where Emacs has no Eglot.
func needEglot(t *testing.T) {
	find := exec.CommandContext(t.Context(), "emacs", "-Q", "--batch", "--eval", elpa, "--eval", `(kill-emacs (if (locate-library "eglot") 0 1))`)
	if find.Run() != nil {
		t.Skip("there is no Emacs with Eglot; .ci/clients installs it")
	}
}
