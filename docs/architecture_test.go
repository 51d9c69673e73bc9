package docs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// rowsUnder are the rows of the first table under a heading of
// architecture.md, without its head, as cells.
func rowsUnder(t *testing.T, title string) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("architecture.md")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(page), "\n## "+title+"\n")
	require.True(t, found, title)
	for line := range strings.Lines(text) {
		line, isRow := strings.CutPrefix(strings.TrimSpace(line), "|")
		if !isRow {
			if rows != nil {
				break
			}
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSuffix(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		rows = append(rows, cells)
	}
	require.Greater(t, len(rows), 2, title)
	return rows[2:]
}

// quoted is what stands between backquotes.
var quoted = regexp.MustCompile("`([^`]+)`")

// quotedIn are the names that a cell quotes.
func quotedIn(cell string) (names []string) {
	for _, found := range quoted.FindAllStringSubmatch(cell, -1) {
		names = append(names, found[1])
	}
	return names
}

// sourceFile is what a Go file declares.
type sourceFile struct {
	functions map[string]map[string]bool // by name, a method as Type.Name: the names in its body
	variables map[string]map[string]bool // of the package, by name: the names in its value
}

// parsed reads a Go file by its path from the root of the module.
func parsed(t *testing.T, path string) sourceFile {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", filepath.FromSlash(path)), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	found := sourceFile{map[string]map[string]bool{}, map[string]map[string]bool{}}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil {
				name = receiver(d.Recv.List[0].Type) + "." + name
			}
			found.functions[name] = namesIn(d.Body)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					for i, value := range v.Values {
						found.variables[v.Names[i].Name] = namesIn(value)
					}
				}
			}
		}
	}
	return found
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// namesIn are all identifiers in a piece of code.
func namesIn(node ast.Node) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	return names
}

// base is a function's name without its type.
func base(function string) string { return function[strings.LastIndexByte(function, '.')+1:] }

// listed is what go list says of a package.
type listed struct {
	Dir     string
	GoFiles []string
	Imports []string
	Deps    []string
}

// listedPackages are the packages of the module as they are built for Linux,
// by their paths from its root.
func listedPackages(t *testing.T) map[string]listed {
	cmd := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles,Imports,Deps", "./...")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	require.NoError(t, err)
	packages := map[string]listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			listed
			ImportPath string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages[strings.TrimPrefix(p.ImportPath, modulePath+"/")] = p.listed
	}
}

const modulePath = "github.com/jobline/jobline"

// TestPackages: the table has every package but the examples, names files that
// are there, and for each package the others that it imports.
func TestPackages(t *testing.T) {
	packages := listedPackages(t)
	for _, row := range rowsUnder(t, "The packages") {
		require.Len(t, row, 3, "%q", row)
		name := quotedIn(row[0])[0]
		p, ok := packages[name]
		require.True(t, ok, "there is no package %s", name)
		for _, file := range quotedIn(row[1]) {
			if strings.HasSuffix(file, ".go") {
				require.FileExists(t, filepath.Join(p.Dir, file), name)
			}
		}
		if row[2] != "all" {
			requireImports(t, name, p.Imports, row[2])
		}
		delete(packages, name)
	}
	for name := range packages {
		require.True(t, strings.HasPrefix(name+"/", "docs/"), "the table has no row of %s", name)
	}
}

// requireImports checks that a cell names those packages of the module that a
// package imports, and no others.
func requireImports(t *testing.T, name string, imports []string, cell string) {
	t.Helper()
	var ours []string
	for _, path := range imports {
		if own, ok := strings.CutPrefix(path, modulePath+"/"); ok {
			ours = append(ours, own)
		}
	}
	var named []string
	if cell != "nothing" {
		named = strings.Split(cell, ", ")
	}
	require.ElementsMatch(t, ours, named, "what %s imports", name)
}

// step is a row of the walk.
type step struct {
	number    string
	file      string
	function  string
	reachedBy string
}

func (s *step) packageDir() string { return s.file[:strings.LastIndexByte(s.file, '/')] }

var (
	calledBy = regexp.MustCompile(`^called by (\d+)$`)
	callsOne = regexp.MustCompile(`^calls (\d+)$`)
	through  = regexp.MustCompile("^`(\\w+)` of (\\d+)$")
)

// TestWalk: each step of a walk names a file that is built and a function
// that is declared in it, and is reached as it says: it is called by an earlier
// step, or calls one, or both use the same field or table of their package.
func TestWalk(t *testing.T) {
	packages := listedPackages(t)
	for _, title := range []string{"The walk of one submit", "The walk of one change on many machines"} {
		t.Run(title, func(t *testing.T) { requireWalk(t, packages, title) })
	}
}

func requireWalk(t *testing.T, packages map[string]listed, title string) {
	var steps []step
	for i, row := range rowsUnder(t, title) {
		require.Len(t, row, 5, "%q", row)
		file, function := quotedIn(row[2]), quotedIn(row[3])
		require.Len(t, file, 1, "%q", row)
		require.Len(t, function, 1, "%q", row)
		s := step{row[0], file[0], function[0], row[4]}
		require.Equal(t, strconv.Itoa(i+1), s.number)
		built, ok := packages[s.packageDir()]
		require.True(t, ok, "step %s: no package has the file %s", s.number, s.file)
		require.Contains(t, built.GoFiles, filepath.Base(s.file), "step %s", s.number)
		require.Contains(t, parsed(t, s.file).functions, s.function, "step %s: %s declares no such function", s.number, s.file)
		if i > 0 {
			requireReached(t, packages, steps, s)
		}
		steps = append(steps, s)
	}
}

// requireReached checks how a step is reached from one of the steps before it.
func requireReached(t *testing.T, packages map[string]listed, before []step, s step) {
	t.Helper()
	earlier := func(number string) step {
		n, err := strconv.Atoi(number)
		require.NoError(t, err)
		require.LessOrEqual(t, n, len(before), "step %s is reached from a step before it", s.number)
		return before[n-1]
	}
	body := func(s step) map[string]bool { return parsed(t, s.file).functions[s.function] }
	var from step
	if found := calledBy.FindStringSubmatch(s.reachedBy); found != nil {
		from = earlier(found[1])
		require.True(t, body(from)[base(s.function)], "step %s: %s does not call %s", s.number, from.function, s.function)
	} else if found := callsOne.FindStringSubmatch(s.reachedBy); found != nil {
		from = earlier(found[1])
		require.True(t, body(s)[base(from.function)], "step %s: %s does not call %s", s.number, s.function, from.function)
	} else if found := through.FindStringSubmatch(s.reachedBy); found != nil {
		from = earlier(found[2])
		name := found[1]
		require.True(t, body(from)[name], "step %s: %s does not use %s", s.number, from.function, name)
		require.True(t, body(s)[name] || inTable(t, packages[s.packageDir()], name, base(s.function)),
			"step %s: neither uses %s %s, nor has it %s", s.number, s.function, name, s.function)
	} else {
		require.Fail(t, "step "+s.number+": it is not said how it is reached: "+s.reachedBy)
	}
	requireKnows(t, packages, from, s)
}

// inTable reports whether a variable of a package has a function in its value.
func inTable(t *testing.T, p listed, variable, function string) bool {
	return slices.ContainsFunc(p.GoFiles, func(name string) bool {
		path, err := filepath.Rel("..", filepath.Join(relative(t, p.Dir), name))
		require.NoError(t, err)
		return parsed(t, filepath.ToSlash(path)).variables[variable][function]
	})
}

// relative is a directory's path from here.
func relative(t *testing.T, dir string) string {
	here, err := os.Getwd()
	require.NoError(t, err)
	path, err := filepath.Rel(here, dir)
	require.NoError(t, err)
	return path
}

// requireKnows checks that the packages of two steps can reach each other: one
// imports the other, directly or not. A call through an interface goes to a
// package that imports the one with the interface.
func requireKnows(t *testing.T, packages map[string]listed, a, b step) {
	t.Helper()
	from, to := a.packageDir(), b.packageDir()
	if from == to {
		return
	}
	require.True(t, slices.Contains(packages[from].Deps, modulePath+"/"+to) || slices.Contains(packages[to].Deps, modulePath+"/"+from),
		"step %s: neither of %s and %s imports the other", b.number, from, to)
}

// TestGuaranteesAreWhereThePageSays: the code and the tests of each guarantee
// exist under the names that the page has.
func TestGuaranteesAreWhereThePageSays(t *testing.T) {
	rows := rowsUnder(t, "Where each guarantee is kept")
	require.GreaterOrEqual(t, len(rows), 12)
	for _, row := range rows {
		require.Len(t, row, 3, "%q", row)
		requireNamed(t, row[1], func(string, string) bool { return true })
		requireNamed(t, row[2], func(file, name string) bool {
			return strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") || strings.Contains(file, "/storetest/")
		})
	}
}

// requireNamed checks a cell that names files, and after each the functions that
// it declares.
func requireNamed(t *testing.T, cell string, wanted func(file, name string) bool) {
	t.Helper()
	var file sourceFile
	path, functions := "", 0
	for _, name := range quotedIn(cell) {
		if strings.HasSuffix(name, ".go") {
			require.True(t, path == "" || functions > 0, "%s: no function of it is named", path)
			path, functions, file = name, 0, parsed(t, name)
			continue
		}
		functions++
		require.Contains(t, file.functions, name, "%s declares no such function", path)
		require.True(t, wanted(path, name), "%s is no test", name)
	}
	require.Positive(t, functions, cell)
}
