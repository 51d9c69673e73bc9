package cmd_test

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// TestCommentsBeginWithTheName finds the comments that kept the old name of
// what they are of. It parses the files of all systems.
func TestCommentsBeginWithTheName(t *testing.T) {
	eachSourceFile(t, func(_ string, positions *token.FileSet, parsed *ast.File) {
		for _, d := range parsed.Decls {
			checkComment(t, positions.Position(d.Pos()), d)
		}
	})
}

func checkComment(t *testing.T, at token.Position, d ast.Decl) {
	t.Helper()
	names, doc := declared(d)
	text := doc.Text() // without directives
	if len(names) > 0 && text != "" && !slices.ContainsFunc(names, func(name string) bool { return beginsWith(text, name) }) {
		first, _, _ := strings.Cut(text, "\n")
		t.Errorf("%s: the comment of %s begins %q", at, strings.Join(names, ", "), first)
	}
}

// declared tells what a declaration names, and its comment. A group, whose
// comment is of all that is in it, names nothing.
func declared(d ast.Decl) (names []string, doc *ast.CommentGroup) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		return []string{d.Name.Name}, d.Doc
	case *ast.GenDecl:
		if d.Lparen.IsValid() {
			return nil, nil
		}
		switch s := d.Specs[0].(type) {
		case *ast.TypeSpec:
			return []string{s.Name.Name}, d.Doc
		case *ast.ValueSpec:
			for _, name := range s.Names {
				names = append(names, name.Name)
			}
			return names, d.Doc
		}
	}
	return nil, nil
}

// beginsWith tells whether the first word of a comment, after an article, is
// the name.
func beginsWith(comment, name string) bool {
	words := strings.Fields(comment)
	if len(words) > 1 && slices.Contains([]string{"A", "An", "The"}, words[0]) && words[0] != name {
		words = words[1:]
	}
	rest, ok := strings.CutPrefix(words[0], name)
	return ok && (rest == "" || strings.Contains(",:;.'’([", rest[:1]))
}
