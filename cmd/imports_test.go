package cmd_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	modulePath = "github.com/jobline/jobline"
	moduleRoot = ".."
	jsonrpc2   = "github.com/sourcegraph/jsonrpc2"
)

// mayImport says which packages of the module a package may import: data flows
// one way, and so do imports. What is not in the table may import nothing.
var mayImport = map[string][]string{
	"schema/jsonscan":                           {},
	"schema":                                    {"schema/jsonscan"},
	"executor/plan":                             {"schema"},
	"executor/schedule":                         {"schema"},
	"executor":                                  {"executor/plan", "executor/schedule", "schema"},
	"executor/store/kit":                        {"executor", "executor/plan", "schema"},
	"executor/store/transfer":                   {"executor", "executor/plan", "schema"},
	"executor/store/memory":                     {"executor/store/kit", "executor/store/transfer", "executor", "executor/plan", "schema"},
	"executor/store/sqlite":                     {"executor/store/kit", "executor/store/transfer", "executor", "executor/plan", "schema", "executor/store/sqlite/internal/disk", "executor/store/sqlite/internal/file"},
	"executor/store/sqlite/inspect":             {"executor", "executor/plan", "schema", "executor/store/sqlite/internal/disk", "executor/store/sqlite/internal/file"},
	"executor/store/sqlite/internal/file":       {"executor/store/kit", "executor", "executor/plan", "schema", "executor/store/sqlite/internal/disk"},
	"executor/store/sqlite/internal/sqlitetest": {"executor", "schema", "executor/store/sqlite/inspect", "executor/store/sqlite/internal/file"},
	"executor/store/sqlite/internal/disk":       {},
	"executor/store/sqlite/outboxfile":          {"executor/store/outbox", "executor", "schema", "executor/store/sqlite/internal/disk", "executor/store/sqlite/internal/file"},
	"executor/store/outbox":                     {"executor/store/kit", "executor", "executor/plan", "schema"},
	"executor/store/sqlite/faultvfs":            {},
	"executor/store/nats":                       {"executor/store/kit", "executor/store/memory", "executor/store/transfer", "executor", "executor/plan", "schema"},
	"executor/store/nats/natstest":              {},
	"executor/store/nats/natstest/natsservers":  {"executor/store/nats/natstest"},
	"executor/store/storetest":                  {"executor", "executor/plan", "schema"},
	"executor/task/exec":                        {"executor", "schema"},
	"executor/task/builtin":                     {"executor", "schema"},
	"rpc":                                       {"schema/jsonscan", "rpc/wire", "executor/store/kit", "executor", "schema"},
	"rpc/wire":                                  {"schema/jsonscan", "schema"},
	"rpc/client":                                {"rpc/wire", "schema"},
	"rpc/stdio":                                 {"rpc", "executor", "schema", "executor/store/memory"},
	"rpc/socket":                                {"rpc", "rpc/wire", "executor", "schema"},
	"cmd/jobline":                               {"cmd"},
	"cmd/internal/bench":                        {"executor/store/nats"},
	"cmd/internal/top":                          {"cmd/internal/show", "rpc/client", "rpc/wire", "schema"},
	"cmd/internal/show":                         {"executor/task/exec", "schema"},
	"rpc/rpctest":                               {"rpc", "rpc/client", "executor", "schema", "executor/store/memory"},
	"rpc/rpctest/history":                       {"executor", "schema"},
}

// importsAll says which packages may import every other: the one that wires
// them, and the examples, which are as a user's programs.
func importsAll(name string) bool {
	return name == "cmd" || name == "docs" || strings.HasPrefix(name, "docs/")
}

// topLevel is what may stand in the root of the module, besides dot files.
var topLevel = []string{"LICENSE", "README.md", "cmd", "docs", "executor", "findings", "go.mod", "go.sum", "rpc", "schema"}

const (
	mostLines         = 400 // of a Go file that is no test
	mostFunctionLines = 70
)

type listedPackage struct {
	ImportPath string
	Imports    []string
}

// listPackages are all packages that the module is built of on a system, with
// those of other modules.
func listPackages(t *testing.T, system string) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports", "./...")
	cmd.Dir, cmd.Env = moduleRoot, append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var packages []listedPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

// ours is the path of a package within the module.
func ours(importPath string) (name string, ok bool) {
	return strings.CutPrefix(importPath, modulePath+"/")
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		found := 0
		for _, p := range listPackages(t, system) {
			name, ok := ours(p.ImportPath)
			if !ok {
				continue
			}
			found++
			allowed, known := mayImport[name]
			require.True(t, known || importsAll(name), "%s is a new package: give it a row in the table", name)
			for _, imported := range p.Imports {
				if other, ok := ours(imported); ok && !importsAll(name) {
					require.Contains(t, allowed, other, "%s imports %s", name, other)
				}
				if imported == jsonrpc2 {
					require.True(t, name == "rpc" || strings.HasPrefix(name, "rpc/"), "%s imports %s", name, imported)
				}
			}
		}
		require.Greater(t, found, 4, "go list found the module")
	}
}

func TestNothingElseStandsAtTopLevel(t *testing.T) {
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = moduleRoot
	out, err := cmd.Output()
	if err != nil {
		t.Skip("this is not a working copy: ", err)
	}
	files := strings.Fields(string(out))
	require.NotEmpty(t, files)
	for _, file := range files {
		top, _, _ := strings.Cut(file, "/")
		require.True(t, strings.HasPrefix(top, ".") || slices.Contains(topLevel, top), file)
	}
}

func TestFilesAndFunctionsAreShort(t *testing.T) {
	eachSourceFile(t, func(file string, positions *token.FileSet, parsed *ast.File) {
		checkLengths(t, file, positions, parsed)
	})
}

// eachSourceFile parses each Go file of the module that is no test, those of all systems.
func eachSourceFile(t *testing.T, check func(file string, positions *token.FileSet, parsed *ast.File)) {
	t.Helper()
	checked := 0
	err := fs.WalkDir(os.DirFS(moduleRoot), ".", func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && (base == "testdata" || base == "node_modules" || base != "." && base[0] == '.'):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(base, ".go") || strings.HasSuffix(base, "_test.go"):
			return nil
		}
		checked++
		file, positions := filepath.Join(moduleRoot, filepath.FromSlash(name)), token.NewFileSet()
		parsed, err := parser.ParseFile(positions, file, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		check(file, positions, parsed)
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, checked, 20)
}

func checkLengths(t *testing.T, file string, positions *token.FileSet, parsed *ast.File) {
	t.Helper()
	line := func(at token.Pos) int { return positions.Position(at).Line }
	if n := line(parsed.FileEnd - 1); n > mostLines {
		t.Errorf("%s has %d lines, the limit is %d", file, n, mostLines)
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if n := line(f.End()) - line(f.Pos()) + 1; n > mostFunctionLines {
				t.Errorf("%s: %s has %d lines, the limit is %d", file, f.Name.Name, n, mostFunctionLines)
			}
		}
	}
}

// The program speaks to NATS servers, and has none in it.
func TestImportsNoServerOfNATS(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./cmd/jobline")
	cmd.Dir = moduleRoot
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "github.com/nats-io/nats.go/jetstream\n")
	require.NotContains(t, string(out), "github.com/nats-io/nats-server")
}
