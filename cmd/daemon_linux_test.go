package cmd

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAServerIsStartedOnAFullDisk: the command says so in one line.
func TestAServerIsStartedOnAFullDisk(t *testing.T) {
	daemonHome(t)
	dir := mount(t, 0, "size=64k")
	t.Setenv("XDG_STATE_HOME", dir)
	fillDisk(t, filepath.Join(dir, "filler"))
	out, err := exec.Command("jobline", "attach").CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, strings.Count(string(out), "\n"), string(out))
	require.Contains(t, string(out), "no space left on device")
	require.Contains(t, string(out), dir)
	out, err = exec.Command("jobline", "doctor").CombinedOutput()
	require.Error(t, err)
	require.Regexp(t, `(?m)^fail  state  .*no space left on device`, string(out))
}
