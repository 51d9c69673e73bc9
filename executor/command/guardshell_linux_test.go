package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuardOfAnyShell: the guard finds what is marked with the tools of BusyBox,
// whose grep does not read on behind a NUL byte, and without any tools.
func TestGuardOfAnyShell(t *testing.T) {
	box := t.TempDir()
	for name, test := range map[string]struct {
		shell []string
		path  string
	}{
		"as it is":      {[]string{guardShell}, "/usr/bin:/bin"},
		"BusyBox":       {[]string{"busybox", "sh"}, box},
		"without tools": {[]string{guardShell}, "/nonexistent"},
	} {
		t.Run(name, func(t *testing.T) {
			shell, err := exec.LookPath(test.shell[0])
			if err != nil {
				t.Skip("a tool is missing: ", err)
			}
			if test.path == box {
				require.NoError(t, os.Symlink(shell, filepath.Join(box, "grep")))
			}
			server := newServerID()
			in, f := self("hold"), newFIFO(t)
			marked := exec.Command(in.Argv[0], f.path)
			marked.Env = append(os.Environ(), modeVar+"=hold", serverVar+"="+server+".task") // not the first
			require.NoError(t, marked.Start())
			f.holders(t, 1)

			table, err := newTable()
			require.NoError(t, err)
			defer table.close()
			guard := exec.Command(shell, append(test.shell[1:], "-c", guardScript, "jobline-guard", server)...)
			guard.Env, guard.ExtraFiles = []string{"PATH=" + test.path}, []*os.File{table.file}
			require.NoError(t, guard.Run()) // its stdin is at its end
			f.requireFree(t)
			require.Error(t, marked.Wait())
		})
	}
}
