//go:build unix

package stdio

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const logVariable = "JOBLINE_TEST_LOG"

// writeLog writes more than three logs of 1,000 bytes, and panics.
func writeLog(path string) {
	l, err := OpenLogFile(path)
	if err != nil {
		panic(err)
	}
	l.most = 1000
	for n := range 50 {
		if _, err := fmt.Fprintf(l, "line %2d %0100d\n", n, 0); err != nil {
			panic(err)
		}
	}
	fmt.Println("printed")
	panic("this is the end")
}

func TestALogIsBegunAnewAndHasThePanic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "serve.log")
	var said bytes.Buffer
	c := exec.Command(os.Args[0])
	c.Env, c.Stdout, c.Stderr = append(os.Environ(), modeVariable+"=log file", logVariable+"="+path), &said, &said
	require.Error(t, c.Run())
	require.Empty(t, said.String())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(text), "line 49 ")
	require.Contains(t, string(text), "\nprinted\npanic: this is the end\n")
	next := 49
	for _, name := range []string{path, path + ".1", path + ".2", path + ".3"} {
		info, err := os.Lstat(name)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		if name != path {
			require.InDelta(t, 1000, info.Size(), 120)
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for ; bytes.Contains(text, fmt.Appendf(nil, "line %2d ", next)); next-- { // no line is lost
		}
	}
	require.Less(t, next, 20)
	require.NoFileExists(t, path+".4")
}

func TestALogIsBegunAnewAtTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "serve.log")
	require.NoError(t, os.WriteFile(path, make([]byte, maxLog), 0o600))
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), modeVariable+"=log file", logVariable+"="+path)
	require.Error(t, c.Run())
	info, err := os.Lstat(path + ".3")
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(maxLog), "the old one has gone")
}

func TestALogThatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Symlink("target", filepath.Join(dir, "link")))
	for name, want := range map[string]string{dir: "is a directory", filepath.Join(dir, "link"): "too many levels of symbolic links", "/dev/null": "is no regular file"} {
		_, err := OpenLogFile(name)
		require.ErrorContains(t, err, want)
	}
}
