package exec

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestEnvFile: a command gets the environment of a file in place of the server's.
func TestEnvFile(t *testing.T) {
	t.Setenv("OURS", "ours")
	path := filepath.Join(t.TempDir(), "env.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"PATH":"/usr/bin:/bin","A":"file","B":"file","LC_X":"é\n","JOBLINE_STORE":"x","PWD":"/elsewhere"}`), 0o600))
	for name, test := range map[string]struct {
		in     Input
		has    []string
		hasNot []string
	}{
		"alone":           {has: []string{"A=file", "B=file", "LC_X=é\n", "PATH=/usr/bin:/bin", "PWD=/elsewhere"}, hasNot: []string{"OURS=ours", "JOBLINE_STORE=x"}},
		"env comes after": {in: Input{Env: map[string]*string{"A": new("given"), "B": nil}}, has: []string{"A=given"}, hasNot: []string{"A=file", "B=file"}},
		"clean":           {in: Input{CleanEnv: true}, has: []string{"LC_X=é\n", "PATH=/usr/bin:/bin"}, hasNot: []string{"A=file"}},
		"a directory":     {in: Input{Dir: "/tmp"}, has: []string{"PWD=/tmp"}, hasNot: []string{"PWD=/elsewhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.in.EnvFile = path
			test.in.Argv = []string{"env", "-0"} // found in the PATH of the file
			c := newCommand(t, Options{EnvAllow: []string{"OURS"}})
			var out screen
			_, err := c.run(context.Background(), &test.in, task{id: "a", stdout: &out, stderr: &out, started: func(int) {}})
			require.NoError(t, err)
			got := strings.Split(out.String(), "\x00")
			require.Subset(t, got, test.has)
			for _, not := range test.hasNot {
				require.NotContains(t, got, not)
			}
		})
	}
}

// TestEnvFileIsRefused: what others could have read or written is no environment,
// and what is in the file is in no message.
func TestEnvFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	foreign := file("foreign", `{"A":"secret"}`, 0o600)
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(foreign, 65534, 65534))
	} else {
		foreign = "/etc/passwd"
	}
	for path, says := range map[string]string{
		file("others read", `{"A":"secret"}`, 0o604):  "chmod 600 it",
		file("others write", `{"A":"secret"}`, 0o620): "chmod 600 it",
		foreign:                                "its owner, who is this server's user",
		dir:                                    "is refused",
		fifo:                                   "is refused",
		filepath.Join(dir, "missing"):          "is not there",
		"env.json":                             "give the absolute path",
		dir + "\x00":                           "give the absolute path",
		file("no JSON", `{"A":secret}`, 0o600): "is no JSON object of texts by name",
		file("a number", `{"A":1,"B":"secret"}`, 0o600):         "is no JSON object of texts by name",
		file("null", `null`, 0o600):                             "is no JSON object of texts by name",
		file("a list", `["secret"]`, 0o600):                     "is no JSON object of texts by name",
		file("twice", `{"A":"secret","A":"secret"}`, 0o600):     "is no JSON object of texts by name",
		file("a sign", `{"A=secret":"b"}`, 0o600):               `a name that is empty or has "=" in it, or a NUL byte`,
		file("NUL", `{"A":"secret\u0000"}`, 0o600):              `a name that is empty or has "=" in it, or a NUL byte`,
		file("large", strings.Repeat(" ", maxEnvFile+1), 0o600): "it has more than 8388608 bytes",
	} {
		_, err := newCommand(t, Options{}).command(&Input{Argv: []string{"true"}, EnvFile: path}, "a")
		var failure *executor.Failure
		require.ErrorAs(t, err, &failure, path)
		require.Equal(t, schema.KindSpawn, failure.Kind)
		require.Contains(t, failure.Message, says)
		require.NotContains(t, failure.Message, "secret")
	}
}
