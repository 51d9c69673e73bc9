package cmd

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const (
	clientsDir = "testdata/clients"
	guidesDir  = "../docs/guides"
	// clientPatience is far more than any of these programs needs, of which one is
	// compiled first.
	clientPatience = 5 * time.Minute
)

// clientStory is what every client has to tell, whatever it is written in.
const clientStory = `submitted sleep, known before: false
submitted sleep, known before: true
sleep completed after started progress finished
exec wrote héllo ✓
exec completed after started output finished
error 1002 unknownType retryable: false
cancel: cancelling
exec cancelled after started finished
all: completed completed cancelled
shutdown, left: 0
exit 0
`

// realClient is a program that uses jobline through a library that others
// wrote, or through none.
type realClient struct {
	name, script string
	command      []string // what runs the script, which is put in for SCRIPT
	abrupt       string   // the script that is killed while a task runs
	guide        string
	module       string   // what Node must find
	needs        []string // tools beside the first word of the command
	absent       string   // what it says where there is no jobline; it can run without a PATH
	keepsLogs    bool     // in the user's home, where a test has no business
	// mayMissLast is true of a library that can lose the last reply before the
	// end of the connection; its script leaves it out.
	mayMissLast bool
}

var realClients = []realClient{
	{name: "vscode-jsonrpc", command: []string{"node", "SCRIPT"}, script: "vscode.js", abrupt: "abrupt.js", guide: "vscode.md", module: "vscode-jsonrpc", absent: "spawn jobline ENOENT"},
	{
		name: "neovim", command: []string{"nvim", "--headless", "-u", "NONE", "-i", "NONE", "-n", "-c", "luafile SCRIPT", "-c", "qa!"},
		script: "neovim.lua", abrupt: "abrupt.lua", guide: "neovim.md", keepsLogs: true, absent: "jobline could not be started: is it in PATH?",
	},
	{name: "emacs", command: []string{"emacs", "-Q", "--batch", "-l", "SCRIPT"}, script: "emacs.el", abrupt: "abrupt.el", guide: "emacs.md", absent: "Searching for program", mayMissLast: true},
	{name: "emacs, messages handled late", command: []string{"emacs", "-Q", "--batch", "-l", "late.el", "-l", "SCRIPT"}, script: "emacs.el", guide: "emacs.md", mayMissLast: true},
	{
		name: "typescript", command: []string{"node", "SCRIPT"}, script: "typescript.ts", guide: "typescript.md",
		module: "typescript", absent: "spawn jobline ENOENT",
	},
	{name: "jrpc2", command: []string{"go", "run", "./SCRIPT"}, script: "go/main.go", guide: "go.md", mayMissLast: true},
	{name: "python", command: []string{"python3", "SCRIPT"}, script: "python.py", guide: "python.md"},
	{name: "shell", command: []string{"sh", "SCRIPT"}, script: "shell.sh", guide: "shell.md", needs: []string{"mkfifo", "mktemp"}},
}

// run makes the command of a script, or skips the test where a tool is missing.
func (c realClient) run(t *testing.T, ctx context.Context, script string) *exec.Cmd {
	for _, tool := range append([]string{c.command[0]}, c.needs...) {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s; .ci/clients installs what these tests need", tool)
		}
	}
	env := append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1")
	if c.module != "" {
		modules := nodeModules(t)
		if _, err := os.Stat(filepath.Join(modules, c.module)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("there is no %s in %s; .ci/clients installs it", c.module, modules)
		}
		env = append(env, "NODE_PATH="+modules)
	}
	if filepath.Ext(script) == ".ts" {
		script = compileTypeScript(t, ctx, script)
	}
	args := make([]string, len(c.command))
	for i, a := range c.command {
		args[i] = strings.Replace(a, "SCRIPT", script, 1)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = clientsDir, env
	if c.keepsLogs {
		for _, xdg := range []string{"CACHE", "CONFIG", "DATA", "STATE"} {
			cmd.Env = append(cmd.Env, "XDG_"+xdg+"_HOME="+t.TempDir())
		}
	}
	return cmd
}

// clientsFolder is where .ci/clients brings what the tests need.
func clientsFolder(t *testing.T) string {
	if dir := os.Getenv("JOBLINE_CLIENTS"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	return filepath.Join(home, ".cache", "jobline-clients")
}

func nodeModules(t *testing.T) string { return filepath.Join(clientsFolder(t), "node_modules") }

// offerJobline builds jobline and puts it first on the PATH.
func offerJobline(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the clients run commands that Windows has not")
	}
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "jobline"), "./jobline").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestClients(t *testing.T) {
	offerJobline(t)
	for _, c := range realClients {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			told, err := c.run(t, ctx, c.script).Output()
			var stderr string
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				stderr = string(exit.Stderr)
			}
			require.NoError(t, err, stderr)
			story := clientStory
			if c.mayMissLast {
				story = strings.Replace(story, "shutdown, left: 0\n", "", 1)
			}
			require.Equal(t, story, string(told))
		})
	}
}

// TestClientsHalfCharacter sends texts that are no Unicode, as a program does
// that cuts them anywhere: the call fails, and no other does.
func TestClientsHalfCharacter(t *testing.T) {
	offerJobline(t)
	for name, c := range map[string]realClient{
		"surrogate.js": {command: []string{"node", "SCRIPT"}, module: "vscode-jsonrpc"},
		"surrogate.py": {command: []string{"python3", "SCRIPT"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			told, err := c.run(t, ctx, name).Output()
			require.NoError(t, err)
			require.Regexp(t, "^error -32700\nword [\uFFFD?]\nexit 0\n$", string(told))
		})
	}
}

// TestClientsStore kills the server and goes on with another on its file.
func TestClientsStore(t *testing.T) {
	offerJobline(t)
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	python := realClient{command: []string{"python3", "SCRIPT", filepath.Join(t.TempDir(), "tasks.db")}}
	told, err := python.run(t, ctx, "store.py").CombinedOutput()
	require.NoError(t, err, "%s", told)
	require.Equal(t, `killed with -9
something happened meanwhile: true
exec interrupted
sleep completed
told again of noop: false
shutdown, left: 0
exit 0
`, string(told))
}

// TestClientsServerFails starts a server that refuses its settings: everyone
// must end, and show why. Editors end with 0 all the same, and cut the line.
func TestClientsServerFails(t *testing.T) {
	offerJobline(t)
	t.Setenv("JOBLINE_LIMIT", "none")
	for _, c := range realClients {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			told, _ := c.run(t, ctx, c.script).CombinedOutput()
			require.NoError(t, ctx.Err(), "%s", told)
			require.Contains(t, string(told), "want a number from")
			require.NotContains(t, string(told), "known before: false")
		})
	}
}

// TestClientsNoServer runs the editors where there is no jobline.
func TestClientsNoServer(t *testing.T) {
	for _, c := range realClients {
		if c.absent == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			cmd := c.run(t, ctx, c.script)
			cmd.Args[0] = cmd.Path // or Emacs does not find its own files
			cmd.Env = append(cmd.Env, "PATH="+t.TempDir())
			told, _ := cmd.CombinedOutput()
			require.NoError(t, ctx.Err(), "%s", told)
			require.Contains(t, string(told), c.absent)
		})
	}
}

// TestClientsPipe runs the shell script that sends all and reads the rest.
func TestClientsPipe(t *testing.T) {
	offerJobline(t)
	cmd := exec.CommandContext(t.Context(), "sh", "pipe.sh")
	cmd.Dir = clientsDir
	told, err := cmd.Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(told), "\n"), "\n")
	require.Len(t, lines, 3)
	require.Contains(t, lines[0], `"id":1,"result":{`)
	require.Contains(t, lines[1], `"id":2,"result":{`)
	require.Contains(t, lines[2], `"method":"task/output"`)
	require.Contains(t, lines[2], `"data":"hello\n"`)
}

// TestClientsFraming speaks every framing that jrpc2 has.
func TestClientsFraming(t *testing.T) {
	offerJobline(t)
	for name, framing := range map[string]channel.Framing{
		"lines":                      channel.Line,
		"values without line ends":   channel.RawJSON,
		"headers as LSP":             channel.LSP,
		"headers with length alone":  channel.Header(""),
		"headers, type comes first":  channel.Header("application/json"),
		"headers, type with charset": channel.Header("application/vscode-jsonrpc; charset=utf8"),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			server := exec.CommandContext(ctx, "jobline", "serve")
			in, err := server.StdinPipe()
			require.NoError(t, err)
			out, err := server.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, server.Start())
			finished := make(chan string, 1)
			client := jrpc2.NewClient(framing(out, in), &jrpc2.ClientOptions{OnNotify: func(r *jrpc2.Request) {
				if r.Method() == "task/finished" {
					finished <- r.ParamString()
				}
			}})
			useEverything(t, ctx, client, finished)
			require.NoError(t, client.Close())
			require.NoError(t, server.Wait())
		})
	}
}

// useEverything calls with and without params, in a batch, wrongly, and ends
// the server.
func useEverything(t *testing.T, ctx context.Context, client *jrpc2.Client, finished chan string) {
	var offered struct{ Types []struct{ Name string } }
	require.NoError(t, client.CallResult(ctx, "types", nil, &offered))
	require.NotEmpty(t, offered.Types)

	id := uuid.NewString()
	replies, err := client.Batch(ctx, []jrpc2.Spec{
		{Method: "submit", Params: map[string]any{"type": "noop", "id": id, "labels": map[string]string{"word": "✓"}}},
		{Method: "wait", Params: map[string]any{"ids": []string{id}}},
	})
	require.NoError(t, err)
	require.Len(t, replies, 2)
	require.Contains(t, replies[1].ResultString(), `"state":"completed"`)
	select {
	case task := <-finished:
		require.Contains(t, task, `"labels":{"word":"✓"}`)
	case <-ctx.Done():
		require.NoError(t, context.Cause(ctx))
	}

	_, err = client.Call(ctx, "types", []string{"by place"})
	failure, ok := errors.AsType[*jrpc2.Error](err)
	require.True(t, ok, "%v", err)
	require.EqualValues(t, -32602, failure.Code)

	require.NoError(t, client.Notify(ctx, "$/setTrace", map[string]any{"value": "off"}))
	// The reply can be lost in this client; the exit code tells.
	_, _ = client.Call(ctx, "shutdown", nil)
}

var markdownLink = regexp.MustCompile(`\]\(([^)#]+\.md)\)`)

// TestClientsGuides keeps the guides true: each quotes the script that the
// tests run, whole, and the table of them has all.
func TestClientsGuides(t *testing.T) {
	quoted := map[string][]string{"shell.md": {"pipe.sh"}, "python.md": {"jobline.py", "store.py"}}
	for _, c := range realClients {
		quoted[c.guide] = append(quoted[c.guide], c.script)
	}
	for guide, scripts := range quoted {
		text := readText(t, filepath.Join(guidesDir, guide))
		for _, name := range scripts {
			fence := "```" + strings.TrimPrefix(filepath.Ext(name), ".") + "\n"
			require.Contains(t, text, fence+readText(t, filepath.Join(clientsDir, name))+"```\n", guide)
		}
	}
	var linked []string
	for _, m := range markdownLink.FindAllStringSubmatch(readText(t, filepath.Join(guidesDir, "README.md")), -1) {
		linked = append(linked, m[1])
	}
	files, err := filepath.Glob(filepath.Join(guidesDir, "*.md"))
	require.NoError(t, err)
	for _, file := range files {
		if name := filepath.Base(file); name != "README.md" {
			require.Contains(t, linked, name)
		}
	}
	for _, name := range linked {
		require.FileExists(t, filepath.Join(guidesDir, name))
	}
}

func readText(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
