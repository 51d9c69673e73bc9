// Package docs_test holds the documents against the program: every quoted
// file, transcript and command in them is read, run and compared. With
// -update, what differs is written anew.
package docs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write quotes and outputs anew")

var program string // the directory of the binary

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "jobline-docs")
	if err != nil {
		panic(err)
	}
	// The programs that the pages run: jobline, and an example.
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../cmd/jobline", "./examples/thumbnails")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	program = dir
	end := shareServer(dir)
	code := m.Run()
	end()
	os.RemoveAll(dir)
	os.Exit(code)
}

// shareServer gives the commands of the pages a place for the server that they share.
// End ends that server.
func shareServer(dir string) (end func()) {
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		panic(err)
	}
	os.Setenv("XDG_RUNTIME_DIR", run)
	os.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	return func() {
		if out, err := exec.Command(filepath.Join(dir, "jobline"), "shutdown", "--mode=cancel").CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v: %s", err, out))
		}
	}
}

// documents are all Markdown files of the project, by path from here.
func documents(t *testing.T) []string {
	var paths []string
	require.NoError(t, filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			paths = append(paths, path)
		}
		return err
	}))
	require.Greater(t, len(paths), 8)
	return append(paths, "../README.md")
}

// block is a fenced block, with what the comment before it says it quotes.
var block = regexp.MustCompile("(?m)(?:^<!-- (file|transcript|example): (\\S.*) -->\n)?^```(\\w*)\n((?s:.*?))^```$")

func TestQuotesAndCommands(t *testing.T) {
	for _, path := range documents(t) {
		t.Run(path, func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			now := block.ReplaceAllFunc(text, func(found []byte) []byte {
				part := block.FindSubmatch(found)
				want := actual(t, filepath.Dir(path), string(part[1]), string(part[2]), string(part[3]), string(part[4]))
				i := bytes.LastIndex(found, part[4])
				if len(part[4]) == 0 {
					i = len(found) - len("```")
				}
				return []byte(string(found[:i]) + want + string(found[i+len(part[4]):]))
			})
			if *update {
				require.NoError(t, os.WriteFile(path, now, 0o644))
				return
			}
			require.Equal(t, string(text), string(now), "run go test ./docs -update")
		})
	}
}

// actual is what a block must contain.
func actual(t *testing.T, dir, kind, name, language, text string) string {
	switch {
	case kind == "file":
		content, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(content)
	case kind == "transcript":
		return transcript(t, filepath.Join(dir, name))
	case language == "console":
		return session(t, text)
	}
	return text
}

// runElsewhere names, by page, the test that runs the commands of its blocks
// which are not sessions.
var runElsewhere = map[string]string{
	"../README.md":         "docs_test.go:TestCIRunsTheREADME",
	"tasks.md":             "docs_test.go:TestCloneIsEnough",
	"daemon.md":            "../cmd/served_unix_test.go:TestAnOwnStoreAndASharedServer",
	"durability.md":        "../cmd/store_unix_test.go:TestTheSQLiteShell",
	"guides/emacs.md":      "../cmd/clients_test.go:TestClientsGuides",
	"guides/go.md":         "../cmd/clients_test.go:TestClientsGuides",
	"guides/neovim.md":     "../cmd/clients_test.go:TestClientsGuides",
	"guides/shell.md":      "../cmd/clients_test.go:TestClientsGuides",
	"guides/typescript.md": "../cmd/clients_test.go:TestClientsGuides",
	"guides/vscode.md":     "../cmd/clients_test.go:TestClientsGuides",

	"editors/emacs/README.md": "../cmd/editor_emacs_test.go:TestEditorEmacs",
	"editors/vim/README.md":   "../cmd/editor_vim_test.go:TestEditorVim",
}

// TestEveryCommandIsRunOrMarked: what a reader may type is run by a test, or a
// comment before it says that it is an example of another system.
func TestEveryCommandIsRunOrMarked(t *testing.T) {
	examples := 0
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, found := range block.FindAllSubmatch(text, -1) {
			kind, language := string(found[1]), string(found[3])
			if kind == "example" {
				examples++
			}
			if kind != "" || language != "sh" && language != "ini" && language != "dockerfile" {
				continue
			}
			file, name, ok := strings.Cut(runElsewhere[path], ":")
			require.True(t, ok, "%s: make it a console session, or mark it with <!-- example: SYSTEM -->:\n%s", path, found[4])
			tests, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Contains(t, string(tests), "func "+name+"(")
		}
	}
	require.GreaterOrEqual(t, examples, 3)
}

// transcript shows a protocol test as a dialogue: what the client does beside
// writing lines stands in it as a comment.
func transcript(t *testing.T, path string) string {
	archive, err := txtar.ParseFile(path)
	require.NoError(t, err)
	var b strings.Builder
	for _, part := range archive.Files {
		arrow, spoken := map[string]string{"client": "→ ", "server": "← "}[part.Name]
		for line := range strings.Lines(string(part.Data)) {
			if strings.HasPrefix(line, "#") {
				b.WriteString(line)
			} else if spoken {
				b.WriteString(arrow + line)
			}
		}
	}
	return b.String()
}

// session runs the commands of a console block and answers it with what they print.
func session(t *testing.T, text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		command, ok := strings.CutPrefix(line, "$ ")
		if !ok {
			continue
		}
		b.WriteString(line)
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "PATH="+program+string(os.PathListSeparator)+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		if _, exited := err.(*exec.ExitError); !exited {
			require.NoError(t, err)
		}
		b.WriteString(steady(logLines.ReplaceAllString(string(out), "")))
	}
	return b.String()
}

// logLines are what a server has logged of its own life: the pages do not show them.
var logLines = regexp.MustCompile(`(?m)^time=\S+ level=INFO .*\n`)

var (
	ids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	varies = []struct {
		is *regexp.Regexp
		as string
	}{
		{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`), "<time>"},
		{regexp.MustCompile(`"pid":\d+`), `"pid":<pid>`},
		{regexp.MustCompile(`"durationMs":\d+`), `"durationMs":<ms>`},
		{regexp.MustCompile(`"executable":"[^"]*"`), `"executable":"<path>"`},
	}
)

// steady replaces what is different in every run.
func steady(text string) string {
	seen := map[string]string{}
	text = ids.ReplaceAllStringFunc(text, func(id string) string {
		if seen[id] == "" {
			seen[id] = fmt.Sprintf("<id%d>", len(seen)+1)
		}
		return seen[id]
	})
	for _, v := range varies {
		text = v.is.ReplaceAllString(text, v.as)
	}
	return text
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, found := range link.FindAllSubmatch(block.ReplaceAll(text, nil), -1) {
			target := path // of a link within the page
			if len(found[1]) > 0 {
				target = filepath.Join(filepath.Dir(path), string(found[1]))
			}
			require.FileExists(t, target, path)
			if len(found[2]) > 0 {
				require.Contains(t, anchors(t, target), string(found[2]), "%s links to %s", path, target)
			}
		}
	}
}

// goFile is a quoted name of a Go file, with or without its folders.
var goFile = regexp.MustCompile("`([\\w/.-]+\\.go)`")

// TestQuotedFilesExist: a Go file that a page names is there, under that path
// or, where it is named without one, in some folder.
func TestQuotedFilesExist(t *testing.T) {
	bases := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, _ os.DirEntry, err error) error {
		bases[filepath.Base(path)] = true
		return err
	}))
	for _, path := range documents(t) {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, found := range goFile.FindAllSubmatch(block.ReplaceAll(text, nil), -1) {
			name := string(found[1])
			if strings.Contains(name, "/") {
				require.FileExists(t, filepath.Join("..", filepath.FromSlash(name)), path)
			} else {
				require.True(t, bases[name], "%s: there is no %s", path, name)
			}
		}
	}
}

// anchors are the names that the headings of a page have in links.
func anchors(t *testing.T, path string) []string {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var names []string
	for _, found := range heading.FindAllSubmatch(block.ReplaceAll(text, nil), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, string(found[1]))
		names = append(names, name)
	}
	return names
}

// TestCloneIsEnough follows the page on tasks of one's own: its commands make
// a program beside a clone of this module build.
func TestCloneIsEnough(t *testing.T) {
	page, err := os.ReadFile("tasks.md")
	require.NoError(t, err)
	var command string
	for _, found := range block.FindAllSubmatch(page, -1) {
		if string(found[3]) == "sh" {
			require.Empty(t, command, "one block of commands is run")
			command = string(found[4])
		}
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.Symlink(root, filepath.Join(dir, "../jobline")))
	source, err := os.ReadFile("examples/thumbnails/main.go")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), source, 0o644))

	// The clone has all checksums, so that the checksum database is not asked.
	sums, err := os.ReadFile("../go.sum")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644))

	cmd := exec.Command("sh", "-ec", "go mod init example.com/program\n"+command+"\ngo build -o program .")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.FileExists(t, filepath.Join(dir, "program"))
}

// The commands of the README's sh blocks are what CI runs, to the letter.
func TestCIRunsTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	ci, err := os.ReadFile("../.ci/run")
	require.NoError(t, err)
	commands := 0
	for _, found := range block.FindAllSubmatch(readme, -1) {
		if string(found[3]) == "sh" {
			commands++
			require.Contains(t, string(ci), strings.TrimSpace(string(found[4])))
		}
	}
	require.Equal(t, 2, commands)
}
