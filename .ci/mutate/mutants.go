package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one change of the code. Text is put before and after a piece of
// it, so that the lines stay what they are, and asks mutantOn(number) whether
// the change is in force.
type mutant struct {
	pkg, file, function string
	line                int
	start, end          int    // offsets of the piece
	what                string // for a person, as "negated: a < b"
	before, after       string // with %d for the number
	nth                 int    // of those in the function that read the same, from 1
	number              int
	broken              bool // it does not compile
}

func (m *mutant) String() string { return fmt.Sprintf("%s:%d: %s", m.file, m.line, m.what) }

// key names a mutant in argued.txt: without the line, which moves.
func (m *mutant) key() string {
	key := fmt.Sprintf("%s: %s: %s", m.file, m.function, m.what)
	if m.nth > 1 {
		key += fmt.Sprintf(" #%d", m.nth)
	}
	return key
}

// mutantsOf finds all mutants of a package, as it is built here.
func mutantsOf(pkg string) ([]*mutant, error) {
	built, err := build.ImportDir(pkg, 0)
	if err != nil {
		return nil, err
	}
	var all []*mutant
	var files []*finder
	limits := map[string]bool{}
	for _, name := range built.GoFiles {
		f := &finder{pkg: pkg, file: filepath.Join(pkg, name), positions: token.NewFileSet(), limits: limits, names: map[*ast.Ident]bool{}}
		source, err := os.ReadFile(f.file)
		if err != nil {
			return nil, err
		}
		f.source = string(source)
		if f.parsed, err = parser.ParseFile(f.positions, f.file, source, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
		f.findLimits()
		files = append(files, f)
	}
	for _, f := range files {
		for _, d := range f.parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
				f.function = fn.Name.Name
				ast.Inspect(fn.Body, f.visit)
			}
		}
		all = append(all, f.found...)
	}
	same := map[string]int{}
	for _, m := range all {
		key := m.key()
		same[key]++
		m.nth = same[key]
	}
	return all, nil
}

type finder struct {
	pkg, file, source, function string
	positions                   *token.FileSet
	parsed                      *ast.File
	limits                      map[string]bool     // the constants of the package that are numbers
	names                       map[*ast.Ident]bool // members and keys, which are no constants
	found                       []*mutant
}

// findLimits notes the constants that are numbers. They are changed where they
// are used, since a constant cannot ask whether a change is in force.
func (f *finder) findLimits() {
	for _, d := range f.parsed.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec)
			if len(spec.Values) == 1 && strings.ContainsAny(f.text(spec.Values[0])[:1], "123456789") {
				f.limits[spec.Names[0].Name] = true
			}
		}
	}
}

func (f *finder) text(n ast.Node) string {
	return f.source[f.positions.Position(n.Pos()).Offset:f.positions.Position(n.End()).Offset]
}

// add notes a mutant of a node.
func (f *finder) add(n ast.Node, what, before, after string) {
	start, end := f.positions.Position(n.Pos()), f.positions.Position(n.End())
	text := strings.Join(strings.Fields(f.text(n)), " ")
	if len(text) > 90 {
		text = text[:90] + "…"
	}
	f.found = append(f.found, &mutant{
		pkg: f.pkg, file: f.file, function: f.function, line: start.Line,
		start: start.Offset, end: end.Offset, what: what + ": " + text, before: before, after: after,
	})
}

const negation = ") != mutantOn(%d))"

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.add(n.Cond, "negated", "((", negation)
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.BasicLit:
		f.literal(n)
	case *ast.SelectorExpr:
		f.names[n.Sel] = true
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok {
			f.names[key] = true
		}
	case *ast.Ident:
		if f.limits[n.Name] && !f.names[n] {
			f.add(n, "doubled", "(", "<<mutantBit(%d))")
		}
	case *ast.ReturnStmt:
		f.results(n)
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	}
	return true
}

// binary changes an operator. What is evaluated twice must not do anything.
func (f *finder) binary(n *ast.BinaryExpr) {
	x, y := f.text(n.X), f.text(n.Y)
	plain := isPlain(n.X) && isPlain(n.Y)
	switch {
	case n.Op == token.EQL || n.Op == token.NEQ:
		f.add(n, "negated", "((", negation)
	case (n.Op == token.LSS || n.Op == token.GTR) && plain:
		f.add(n, "bound by one", "((", fmt.Sprintf(") || mutantOn(%%d) && %s == %s)", x, y))
	case (n.Op == token.LEQ || n.Op == token.GEQ) && plain:
		f.add(n, "bound by one", "((", fmt.Sprintf(") && !(mutantOn(%%d) && %s == %s))", x, y))
	case n.Op == token.LAND && plain:
		f.add(n, "&& is ||", "((", fmt.Sprintf(") || mutantOn(%%d) && (%s || %s))", x, y))
	case n.Op == token.LOR && plain:
		f.add(n, "|| is &&", "((", fmt.Sprintf(") && (!mutantOn(%%d) || (%s) && (%s)))", x, y))
	}
}

// isPlain reports whether an expression has no calls but such as are known to
// change nothing, so that it can be evaluated twice.
func isPlain(e ast.Expr) bool {
	plain := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			name, ok := n.Fun.(*ast.Ident)
			plain = plain && ok && slices.Contains([]string{"len", "cap", "min", "max", "int", "int64", "uint64"}, name.Name)
		case *ast.UnaryExpr:
			plain = plain && n.Op != token.ARROW
		case *ast.FuncLit:
			plain = false
		}
		return plain
	})
	return plain
}

// literal changes a number: 0 to 1, and any other to its double. Shifts take
// the type that the number has.
func (f *finder) literal(n *ast.BasicLit) {
	switch {
	case n.Kind != token.INT:
	case n.Value == "0":
		f.add(n, "1 for", "((1+", ")>>mutantOff(%d))")
	default:
		f.add(n, "doubled", "(", "<<mutantBit(%d))")
	}
}

// results changes what a function returns.
func (f *finder) results(n *ast.ReturnStmt) {
	for _, r := range n.Results {
		name, ok := r.(*ast.Ident)
		switch {
		case !ok:
		case name.Name == "true" || name.Name == "false":
			f.add(r, "returns not", "(", " != mutantOn(%d))")
		case name.Name == "err":
			f.add(r, "returns nil for", "mutantErr(%d, ", ")")
		}
	}
}

// statements drops each statement of a block that does something and that the
// block can do without.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && f.text(call.Fun) != "panic" {
				f.drop(s)
			}
		case *ast.AssignStmt:
			if s.Tok != token.DEFINE {
				f.drop(s)
			}
		case *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
			f.drop(s)
		}
	}
}

func (f *finder) drop(s ast.Stmt) { f.add(s, "dropped", "if !mutantOn(%d) { ", " }") }
