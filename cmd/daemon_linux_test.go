package cmd

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAServerIsStartedWhereNothingCanBeWritten: the command says so in one line.
func TestAServerIsStartedWhereNothingCanBeWritten(t *testing.T) {
	daemonHome(t)
	dir := mount(t, 0, "size=64k")
	t.Setenv("XDG_STATE_HOME", dir)
	fillDisk(t, filepath.Join(dir, "filler"))
	out, err := exec.Command("jobline", "attach").CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, strings.Count(string(out), "\n"), string(out))
	require.Contains(t, string(out), "no space left on device")
	require.Contains(t, string(out), dir)
	readOnly := mount(t, syscall.MS_RDONLY, "size=64k")
	t.Setenv("XDG_STATE_HOME", readOnly)
	said, err := exec.Command("jobline", "attach").CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, `^jobline: the folder \S+/jobline/default for the tasks of a server cannot be made: \S+: read-only file system; make it writable, .*\n$`, string(said))
	t.Setenv("XDG_STATE_HOME", dir)
	out, err = exec.Command("jobline", "doctor").CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, `(?m)^fail  state  .*no space left on device`, string(out))
}
