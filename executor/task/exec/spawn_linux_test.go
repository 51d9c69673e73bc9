package exec

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// write makes a file that can be run.
func write(t *testing.T, path, text string, mode os.FileMode) string {
	require.NoError(t, os.WriteFile(path, []byte(text), mode))
	return path
}

func TestSpawnFailures(t *testing.T) {
	c := newCommand(t, Options{})
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err) // the guard is there
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "file"), "text", 0o644)
	busy := filepath.Join(dir, "busy")
	program, err := os.ReadFile(must(exec.LookPath("true")))
	require.NoError(t, err)
	write(t, busy, string(program), 0o755)
	writer, err := os.OpenFile(busy, os.O_WRONLY, 0)
	require.NoError(t, err)
	defer writer.Close()

	tests := map[string]struct {
		in        Input
		errno     string
		message   string
		retryable bool
	}{
		"missing": {Input{Argv: []string{"/nonexistent/tool"}}, "ENOENT", "/nonexistent/tool could not be started: there is no such file", false},
		"missing, relative": {
			Input{Argv: []string{"./nope"}}, "ENOENT",
			fmt.Sprintf("./nope could not be started: there is no file %q: give another dir, or its absolute path", must(filepath.Abs("nope"))), false,
		},
		"missing in dir":   {Input{Argv: []string{"./nope"}, Dir: dir}, "ENOENT", fmt.Sprintf("%q", filepath.Join(dir, "nope")), false},
		"missing in PATH":  {Input{Argv: []string{"no-such-tool"}}, "ENOENT", `"no-such-tool" is not in PATH`, false},
		"a line":           {Input{Argv: []string{"make test"}}, "ENOENT", `; that is one word with all of its signs: give each word apart, or give`, false},
		"a variable":       {Input{Argv: []string{"A_1=2", "true"}}, "ENOENT", `; a shell takes that for a variable: write env before it, or`, false},
		"no variable name": {Input{Argv: []string{"1A=2", "true"}}, "ENOENT", `"1A=2" is not in PATH: install it, or give its absolute path`, false},
		"a shell's word":   {Input{Argv: []string{"setopt"}}, "ENOENT", `; that is a word of a shell: give a command line to a shell: sh -c '…'`, false},
		"a shell's sign":   {Input{Argv: []string{"no-such-tool", "&&", "x"}}, "ENOENT", `; its arguments have signs of a shell: give`, false},
		"no PATH":          {Input{Argv: []string{"true"}, Env: map[string]*string{"PATH": nil}}, "ENOENT", `"true" is not in PATH, which is not set: set it`, false},
		"not executable":   {Input{Argv: []string{file}}, "EACCES", file + " could not be started: it is not an executable file: chmod +x", false},
		"not executable, PATH": {
			Input{Argv: []string{"file"}, Env: map[string]*string{"PATH": &dir}}, "EACCES", "chmod +x", false,
		},
		"a directory":         {Input{Argv: []string{dir}}, "EACCES", dir + " could not be started: it is a directory: give", false},
		"directory gone":      {Input{Argv: []string{"true"}, Dir: "/nonexistent/dir"}, "ENOENT", `the working directory "/nonexistent/dir" does not exist`, false},
		"directory is a file": {Input{Argv: []string{"true"}, Dir: file}, "ENOTDIR", "is not a directory", false},
		"below a file":        {Input{Argv: []string{"true"}, Dir: file + "/x"}, "ENOTDIR", "the working directory", false},
		"too long":            {Input{Argv: []string{"true", strings.Repeat("x", 1<<20)}}, "E2BIG", "too long", false},
		"format":              {Input{Argv: []string{write(t, filepath.Join(dir, "format"), "text", 0o755)}}, "ENOEXEC", "#!", false},
		"interpreter":         {Input{Argv: []string{write(t, filepath.Join(dir, "script"), "#!/nonexistent/sh\n", 0o755)}}, "ENOENT", "interpreter", false},
		"busy":                {Input{Argv: []string{busy}}, "ETXTBSY", "writing to it", true},
		"relative in PATH":    {Input{Argv: []string{"true"}, Env: map[string]*string{"PATH": new(relative(t, "/bin"))}}, "ENOENT", "relative directory of PATH", false},
		"no argv":             {Input{}, "EINVAL", "argv must begin", false},
		"empty name":          {Input{Argv: []string{""}}, "EINVAL", "argv must begin", false},
		"NUL in argv":         {Input{Argv: []string{"true", "a\x00b"}}, "EINVAL", "argv[1]", false},
		"NUL in dir":          {Input{Argv: []string{"true"}, Dir: "a\x00b"}, "EINVAL", "dir", false},
		"no variable":         {Input{Argv: []string{"true"}, Env: map[string]*string{"": new("x")}}, "EINVAL", "a name in env", false},
		"bad variable":        {Input{Argv: []string{"true"}, Env: map[string]*string{"A=B": new("x")}}, "EINVAL", "a name in env", false},
		"NUL in a value":      {Input{Argv: []string{"true"}, Env: map[string]*string{"A": new("\x00")}}, "EINVAL", `"A"`, false},
	}
	before := openFiles()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := run(t, c, test.in)
			f := a.failure(t)
			require.Equal(t, schema.KindSpawn, f.Kind)
			require.Equal(t, test.errno, f.Errno, f.Message)
			require.Contains(t, f.Message, test.message)
			require.Equal(t, test.retryable, f.Retryable)
			require.Empty(t, a.pids, "it was said to have started")
		})
	}
	require.False(t, zombies())
	require.Equal(t, before, openFiles())
}

// relative is a path from the working directory.
func relative(t *testing.T, path string) string {
	wd, err := os.Getwd()
	require.NoError(t, err)
	path, err = filepath.Rel(wd, path)
	require.NoError(t, err)
	return path
}

// TestRelativeProgram: a path with a slash is meant from the command's directory.
func TestRelativeProgram(t *testing.T) {
	c := newCommand(t, Options{})
	dir := t.TempDir()
	require.NoError(t, os.Symlink(must(os.Executable()), filepath.Join(dir, "tool")))
	in := self("exit", "0")
	in.Argv[0], in.Dir = "./tool", dir
	a := run(t, c, in)
	require.NoError(t, a.err)
	require.Equal(t, filepath.Join(dir, "tool"), a.result.Executable)
}

// TestOutOfFiles: each of 20 commands, with 0 to 19 descriptors to be had,
// fails with the right error or runs, and costs nothing.
func TestOutOfFiles(t *testing.T) {
	a := run(t, newCommand(t, Options{}), self("emfile"))
	require.NoError(t, a.err, "%s", a.stderr.String())
	lines := strings.Split(strings.TrimSpace(a.stdout.String()), "\n")
	require.Len(t, lines, 21)
	require.Equal(t, "leaked 0 false", lines[20])
	for _, line := range lines[:20] {
		require.Contains(t, []string{"spawn EMFILE true", "<nil>"}, line)
	}
	require.Equal(t, "spawn EMFILE true", lines[0])
	require.Equal(t, "<nil>", lines[19])
}
