package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// consumers are programs of other modules, by what they import of this one,
// and the modules that each of them may need beside it.
var consumers = map[string]struct {
	imports []string
	needs   []string
}{
	"a store in memory": {
		imports: []string{"executor", "executor/store/memory"},
		needs:   ofEveryServer,
	},
	"a store in a file": {
		imports: []string{"executor", "executor/store/sqlite"},
		needs:   slices.Concat(ofEveryServer, ofSQLite),
	},
	"a client": {
		imports: []string{"rpc/client"},
		needs:   slices.Concat(ofEveryProgram, []string{jsonrpc2}),
	},
	"a server": {
		imports: []string{"executor", "executor/store/memory", "executor/store/sqlite", "executor/task/exec", "rpc", "rpc/stdio"},
		needs:   slices.Concat(ofEveryServer, ofSQLite, []string{jsonrpc2, "github.com/creack/pty"}),
	},
}

var (
	ofEveryProgram = []string{
		"github.com/go-json-experiment/json", "github.com/google/uuid",
	}
	ofEveryServer = append(slices.Clone(ofEveryProgram), "github.com/netresearch/go-cron")
	ofSQLite      = []string{
		"github.com/ncruces/go-sqlite3", "github.com/ncruces/go-sqlite3-wasm/v6", "github.com/ncruces/julianday", "golang.org/x/sys",
	}
)

// TestConsumersNeedNoTestLibraries: who imports a store gets what the store
// runs on. The libraries of its tests, and the linter, are neither in the
// go.mod that go mod tidy writes nor downloaded for a build.
func TestConsumersNeedNoTestLibraries(t *testing.T) {
	root, err := filepath.Abs(moduleRoot)
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum")) // so that the checksum database is not asked
	require.NoError(t, err)
	cache := goOutput(t, root, nil, "env", "GOMODCACHE")
	proxy := goOutput(t, root, nil, "env", "GOPROXY")
	for name, c := range consumers {
		t.Run(name, func(t *testing.T) {
			dir, fresh := t.TempDir(), t.TempDir()
			source := "package main\n\nimport (\n"
			for _, path := range c.imports {
				source += "\t_ \"" + modulePath + "/" + path + "\"\n"
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(source+")\n\nfunc main() {}\n"), 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/consumer\n\ngo 1.26.0\n\n"+
				"require "+modulePath+" v0.0.0\n\nreplace "+modulePath+" => "+filepath.ToSlash(root)+"\n"), 0o644))

			// The go.mod, as go mod tidy writes it.
			env := []string{"GOFLAGS=-mod=mod", "GOWORK=off"}
			goOutput(t, dir, env, "mod", "tidy")
			required := goOutput(t, dir, env, "list", "-m", "-f", "{{if not .Main}}{{.Path}}{{end}}", "all")
			require.Subset(t, strings.Fields(required), c.needs)
			require.NotContains(t, required, "honnef.co/go/tools", "the linter is in no list of modules")
			tidied, err := os.ReadFile(filepath.Join(dir, "go.mod"))
			require.NoError(t, err)
			require.ElementsMatch(t, append(slices.Clone(c.needs), modulePath), requiredIn(string(tidied)))

			// What a build needs downloaded into a cache that is empty: from the cache of
			// this test, which has all of it, and else from where this came from.
			env = append(env, "GOMODCACHE="+fresh, "GOSUMDB=off", "GOPROXY=file://"+urlPath(cache)+"/cache/download,"+proxy)
			t.Cleanup(func() { goOutput(t, dir, env, "clean", "-modcache") }) // its files are read-only
			goOutput(t, dir, env, "list", "-deps", ".")                       // reads every package as a build does
			require.ElementsMatch(t, c.needs, downloadedTo(t, fresh))
		})
	}
}

// goOutput runs the go command, and answers what it prints.
func goOutput(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), stderr.String())
	return strings.TrimSpace(string(out))
}

// requiredIn are the modules that the text of a go.mod requires.
func requiredIn(text string) (modules []string) {
	inBlock := false
	for line := range strings.Lines(text) {
		line, only := strings.CutPrefix(strings.TrimSpace(line), "require ")
		switch {
		case line == "(":
			inBlock = only
		case line == ")":
			inBlock = false
		case only || inBlock:
			modules = append(modules, strings.Fields(line)[0])
		}
	}
	return modules
}

// urlPath is the path of a directory in a file URL.
func urlPath(dir string) string {
	dir = filepath.ToSlash(dir)
	if runtime.GOOS == "windows" {
		return "/" + dir
	}
	return dir
}

// downloadedTo are the modules whose archives are in a module cache.
func downloadedTo(t *testing.T, cache string) (modules []string) {
	t.Helper()
	root := filepath.Join(cache, "cache", "download")
	require.NoError(t, filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".zip" {
			name, err := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
			require.NoError(t, err)
			modules = append(modules, filepath.ToSlash(name))
		}
		return err
	}))
	return modules
}
