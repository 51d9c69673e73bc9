package exec

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
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
				for _, tool := range []string{"grep", "find", "rmdir", "sleep"} {
					require.NoError(t, os.Symlink(shell, filepath.Join(box, tool)))
				}
			}
			server := newServerID()
			in, f := self("hold"), newFIFO(t)
			marked := exec.Command(in.Argv[0], f.path)
			marked.Env = append(os.Environ(), modeVar+"=hold", serverVar+"="+server+".task") // not the first
			require.NoError(t, marked.Start())
			f.holders(t, 1)
			group, inProcessGroup := startInGroup(t)

			groupTable, err := newGroupTable()
			require.NoError(t, err)
			defer groupTable.close()
			guard := exec.Command(shell, append(test.shell[1:], "-c", guardScript, "jobline-guard", server, group)...)
			guard.Env, guard.ExtraFiles = []string{"PATH=" + test.path}, []*os.File{groupTable.file}
			require.NoError(t, guard.Run()) // its stdin is at its end
			f.requireLetGo(t)               // a process that was killed takes a moment to end
			require.Error(t, marked.Wait())
			if group != "" {
				require.Error(t, inProcessGroup.Wait())
				_, err := os.Stat(group)
				require.Equal(t, name != "without tools", os.IsNotExist(err))
			}
		})
	}
}

// startInGroup starts a process in the innermost of new control groups, and answers
// the outermost, or nothing where there are none to be had.
func startInGroup(t *testing.T) (group string, cmd *exec.Cmd) {
	own, err := ownCgroup()
	if err != nil {
		return "", nil
	}
	group = filepath.Join(own, fmt.Sprint("guarded by ", os.Getpid()))
	inner := filepath.Join(group, "1", "2")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		return "", nil
	}
	t.Cleanup(func() { _ = killCgroup(group); require.NoError(t, removeCgroup(group, patience)) })
	dir, err := os.Open(inner)
	require.NoError(t, err)
	defer dir.Close()
	cmd = exec.Command("sleep", "1000")
	cmd.Env, cmd.SysProcAttr = []string{}, &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := cmd.Start(); err != nil {
		return "", nil
	}
	return group, cmd
}
