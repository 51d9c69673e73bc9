package cmd_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// surfaces are the packages of many names whose comment names each of them, in groups.
var surfaces = []string{"executor/store/sqlite/internal/disk", "executor/store/sqlite/internal/file"}

// TestSurfacesAreNamed keeps the comment of such a package equal to the names that it exports.
func TestSurfacesAreNamed(t *testing.T) {
	comments, exported := map[string]string{}, map[string][]string{}
	eachSourceFile(t, func(file string, _ *token.FileSet, parsed *ast.File) {
		folder, err := filepath.Rel(moduleRoot, filepath.Dir(file))
		require.NoError(t, err)
		name := filepath.ToSlash(folder)
		if !slices.Contains(surfaces, name) {
			return
		}
		comments[name] += parsed.Doc.Text()
		for _, d := range parsed.Decls {
			exported[name] = append(exported[name], exportedBy(d)...)
		}
	})
	for _, name := range surfaces {
		var named []string
		for _, m := range link.FindAllStringSubmatch(comments[name], -1) {
			named = append(named, m[1])
		}
		slices.Sort(exported[name]) // one that each system declares is there more than once
		require.NotEmpty(t, exported[name], name)
		require.ElementsMatch(t, slices.Compact(exported[name]), named, "the comment of package %s names what it exports, once each", name)
	}
}

// link is a name in a comment that leads to its declaration.
var link = regexp.MustCompile(`\[([A-Z]\w*)\]`)

// exportedBy are the exported names that a declaration adds to its package; a method adds none.
func exportedBy(d ast.Decl) (names []string) {
	add := func(id *ast.Ident) {
		if id.IsExported() {
			names = append(names, id.Name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			add(d.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				add(s.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					add(id)
				}
			}
		}
	}
	return names
}
