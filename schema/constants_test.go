package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// constants reads the values of a file's string constants whose names begin
// with prefix, or, where prefix is a type, that are of it.
func constants(t *testing.T, file, prefix string) (values []string) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, _ := spec.Type.(*ast.Ident)
		literal, ok := spec.Values[0].(*ast.BasicLit)
		if ok && (strings.HasPrefix(spec.Names[0].Name, prefix) || kind != nil && kind.Name == prefix) {
			value, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			values = append(values, value)
		}
		return true
	})
	require.NotEmpty(t, values, prefix)
	return values
}

// TestEnumsAreComplete holds the lists in wireTypes against the constants.
func TestEnumsAreComplete(t *testing.T) {
	for _, c := range []struct {
		name, file string
		derive     func() (*Schema, error)
	}{
		{"ErrorKind", "task.go", Derive[ErrorKind]},
		{"CancelOutcome", "methods.go", Derive[CancelOutcome]},
		{"ShutdownMode", "connection.go", Derive[ShutdownMode]},
		{"ShutdownScope", "connection.go", Derive[ShutdownScope]},
		{"OnDisconnect", "methods.go", Derive[OnDisconnect]},
		{"WaitUntil", "methods.go", Derive[WaitUntil]},
		{"OutputDelivery", "methods.go", Derive[OutputDelivery]},
		{"ListOrder", "methods.go", Derive[ListOrder]},
		{"Encoding", "methods.go", Derive[Encoding]},
		{"DedupeOn", "dedupe.go", Derive[DedupeOn]},
	} {
		s, err := c.derive()
		require.NoError(t, err)
		require.Equal(t, constants(t, c.file, c.name), s.root.enum, c.name)
	}
	events, err := Derive[SubmitParams]()
	require.NoError(t, err)
	require.Equal(t, constants(t, "events.go", "Event"), events.root.members["events"].items.enum)
}
