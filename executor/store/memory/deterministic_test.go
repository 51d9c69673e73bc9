package memory

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ofOneProcess is what differs from process to process and from processor to processor. Where replicas use it
// they differ.
var ofOneProcess = []string{
	"time.Now", "time.Since", "time.Until", "time.Local", "time.LoadLocation", "schema.Now", "rand.", "maphash.", "runtime.", "os.", "math.Pow", "math.FMA", "float32", "float64",
}

// usesThat are the places that use it all the same, and why.
var usesThat = map[string]string{
	"index.go: maphash.Bytes":     "finds a task, and is in no order of tasks",
	"index.go: maphash.MakeSeed":  "of that",
	"record.go: maphash.MakeSeed": "of the next",
	"record.go: maphash.String":   "finds terms that tasks share, which changes memory alone",
	"memory.go: schema.Now":       "the time of a store that is no Replica",
	"planned.go: runtime.Gosched": "lets others have the lock",
	"trees.go: runtime.Gosched":   "lets others have the lock",
	"planned.go: schema.Now":      "of a store that begins with resources, which a Replica does not",
	"treeprogress.go: float64":    "what clients are shown; nothing comes of it",
}

// What replicas compute depends on the log alone.
func TestReplicasUseNothingOfOneProcess(t *testing.T) {
	found := map[string]bool{}
	for _, folder := range []string{".", "../kit", "../../plan"} {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			require.NoError(t, err)
			ast.Inspect(file, func(n ast.Node) bool {
				text := ""
				switch n := n.(type) {
				case *ast.Ident:
					text = n.Name
				case *ast.SelectorExpr:
					if of, ok := n.X.(*ast.Ident); ok {
						text = of.Name + "." + n.Sel.Name
					}
				}
				if slices.ContainsFunc(ofOneProcess, func(what string) bool {
					return text == what || strings.HasSuffix(what, ".") && strings.HasPrefix(text, what)
				}) {
					found[filepath.Base(name)+": "+text] = true
				}
				return true
			})
		}
	}
	require.Equal(t, slices.Sorted(maps.Keys(usesThat)), slices.Sorted(maps.Keys(found)))
}
