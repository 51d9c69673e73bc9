package cmd

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTypeScriptTypes compiles the types of the protocol together with a
// script that says what they must refuse.
func TestTypeScriptTypes(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
	defer cancel()
	checked := realClient{command: []string{"node"}, module: "typescript"}
	_ = checked.run(t, ctx, "") // skips where there is no compiler
	typescript(t, ctx, "typeschecked.ts", "--lib", "es2022", "--noEmit")
}

// compileTypeScript compiles a program and answers where the JavaScript is.
func compileTypeScript(t *testing.T, ctx context.Context, script string) string {
	dir := typescript(t, ctx, script, "--types", "node", "--typeRoots", filepath.Join(nodeModules(t), "@types"), "--skipLibCheck")
	return filepath.Join(dir, strings.TrimSuffix(script, ".ts")+".js")
}

// typescript runs the compiler on a script that is beside the types of the
// protocol, and answers where.
func typescript(t *testing.T, ctx context.Context, script string, options ...string) (dir string) {
	dir = t.TempDir()
	for name, path := range map[string]string{script: filepath.Join(clientsDir, script), "jobline.d.ts": "../schema/jobline.d.ts"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(readText(t, path)), 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600))
	compiler := exec.CommandContext(ctx, "node", append([]string{
		filepath.Join(nodeModules(t), "typescript", "bin", "tsc"), "--strict", "--target", "es2022", "--module", "nodenext", script,
	}, options...)...)
	compiler.Dir = dir
	out, err := compiler.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}
