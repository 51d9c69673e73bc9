package exec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDotDotBehindALink: ".." means what it means to the system, the parent of
// where the link leads, and not the directory that the link is in.
func TestDotDotBehindALink(t *testing.T) {
	c := newCommand(t, Options{})
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "real/deep"), 0o755))
	require.NoError(t, os.Symlink("real/deep", filepath.Join(dir, "link")))
	const script = "#!/bin/sh\n" + `echo "$PWD $(pwd -P) `
	write(t, filepath.Join(dir, "tool"), script+`the text's"`, 0o755)
	write(t, filepath.Join(dir, "real/tool"), script+`the system's"`, 0o755)
	t.Chdir(dir)
	up := dir + "/link/.."
	real := dir + "/real"
	path := up + ":" + os.Getenv("PATH")
	relativePath := "link/.."
	tests := map[string]struct {
		in              Input
		dir, executable string
	}{
		"absolute":          {Input{Argv: []string{up + "/tool"}}, dir, up + "/tool"},
		"relative":          {Input{Argv: []string{"link/../tool"}}, dir, up + "/tool"},
		"relative to dir":   {Input{Argv: []string{"../tool"}, Dir: dir + "/link"}, real + "/deep", dir + "/link/../tool"},
		"dir":               {Input{Argv: []string{"./tool"}, Dir: up}, real, up + "/tool"},
		"relative dir":      {Input{Argv: []string{".//tool"}, Dir: "link/../"}, real, up + "/tool"},
		"an entry of PATH":  {Input{Argv: []string{"tool"}, Env: env("PATH", path)}, dir, up + "/tool"},
		"an entry with /":   {Input{Argv: []string{"tool"}, Env: env("PATH", up+"/:"+path)}, dir, up + "/tool"},
		"a relative entry":  {Input{Argv: []string{"tool"}, Env: env("PATH", relativePath)}, "", ""},
		"dir without links": {Input{Argv: []string{"./tool"}, Dir: "./real/."}, real, real + "/./tool"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := run(t, c, test.in)
			if test.dir == "" {
				require.Contains(t, a.failure(t).Message, `"tool" is only in a relative directory of PATH`)
				return
			}
			require.NoError(t, a.err)
			_, warned, _ := strings.Cut(a.stdout.String(), " ")
			require.Equal(t, test.dir+" the system's\n", warned)
			if test.in.Dir != "" && !strings.HasSuffix(test.in.Dir, "/link") {
				require.Equal(t, test.dir+" "+test.dir+" the system's\n", a.stdout.String(), "PWD as it was given")
			}
			require.Equal(t, test.executable, a.result.Executable)
		})
	}
}

// TestShellDir: shells believe a PWD without "." and "..".
func TestShellDir(t *testing.T) {
	dir := must(filepath.EvalSymlinks(t.TempDir()))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "real/deep"), 0o755))
	require.NoError(t, os.Symlink("real/deep", filepath.Join(dir, "link")))
	for given, want := range map[string]string{
		"": "", "/": "/", "/link": "/link", "/link/": "/link", "/./link/.": "/link", "//real": "/real",
		"/link/..": "/real", "/link/../deep": "/real/deep", "/missing/..": "", "/a..": "/a..",
	} {
		if given != "" {
			given = dir + given
		}
		if want != "" {
			want = filepath.Clean(dir + want)
		}
		require.Equal(t, want, shellDir(given), given)
	}
}
