package exec

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// runForbidden is a program in a sandbox that lets nothing be executed. It
// prints why a command could not be started.
func runForbidden([]string) {
	c := must(New(Options{}))
	load := unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS} // the number of the system call
	is := func(call uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1}
	}
	ret := func(what uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what} }
	filter := []unix.SockFilter{
		load, is(unix.SYS_EXECVE), ret(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)), ret(unix.SECCOMP_RET_ALLOW),
	}
	must(0, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		panic(errno)
	}
	_, err := c.Run(context.Background(), Input{Argv: []string{"true"}})
	fmt.Println(describe(err), err)
}

// TestForbidden: what a sandbox forbids is not for want of a mode.
func TestForbidden(t *testing.T) {
	a := run(t, newCommand(t, Options{}), self("forbidden"))
	require.NoError(t, a.err, "%s", a.stderr.String())
	require.Contains(t, a.stdout.String(), "spawn EPERM false true could not be started: the system forbids it: look for a sandbox")
}

// TestDenied tells apart why a program that exists may not be executed.
func TestDenied(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	dir := t.TempDir()
	mount := filepath.Join(dir, "mount")
	require.NoError(t, os.Mkdir(mount, 0o755))
	if err := unix.Mount("tmpfs", mount, "tmpfs", unix.MS_NOEXEC, ""); err != nil {
		t.Skip("nothing can be mounted here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(mount, 0)) })
	tool := write(t, filepath.Join(mount, "tool"), "#!/bin/sh\n", 0o755)
	script := write(t, filepath.Join(dir, "script"), "#!"+write(t, filepath.Join(dir, "file"), "", 0o644)+"\n", 0o755)
	c := newCommand(t, Options{})
	for name, test := range map[string]struct {
		in   Input
		want string
	}{
		"noexec":          {Input{Argv: []string{tool}}, tool + " could not be started: it may not be executed: "},
		"noexec, PATH":    {Input{Argv: []string{"tool"}, Env: env("PATH", mount)}, fmt.Sprintf(`"tool" is in PATH, as %q, but it may not be executed: `, tool)},
		"its interpreter": {Input{Argv: []string{script}}, script + " could not be started: it may not be executed: "},
	} {
		t.Run(name, func(t *testing.T) {
			f := run(t, c, test.in).failure(t)
			require.Equal(t, schema.KindSpawn, f.Kind)
			require.Equal(t, "EACCES", f.Errno)
			require.Contains(t, f.Message, test.want)
			require.NotContains(t, f.Message, "chmod")
		})
	}
}

// becomeOtherUser gives this process another user's rights.
func becomeOtherUser() {
	const nobody = 65534
	must(0, syscall.Setgroups(nil))
	must(0, syscall.Setresgid(nobody, nobody, nobody))
	must(0, syscall.Setresuid(nobody, nobody, nobody))
}

// runInClosed prints why a program in a directory cannot be started.
func runInClosed(args []string) {
	becomeOtherUser()
	c := must(New(Options{}))
	for _, in := range []Input{{Argv: []string{"tool"}, Env: env("PATH", args[0])}, {Argv: []string{args[0] + "/tool"}}} {
		_, err := c.Run(context.Background(), in)
		fmt.Println(describe(err), err)
	}
}

// TestClosedDirectories: a directory that may not be entered is not the fault
// of the program in it, and none is found there by its name.
func TestClosedDirectories(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	write(t, filepath.Join(dir, "tool"), "#!/bin/sh\n", 0o755)
	in := self("closed", dir)
	in.Dir = "/"
	a := run(t, newCommand(t, Options{}), in)
	require.NoError(t, a.err, "%s", a.stderr.String())
	require.Equal(t, "spawn ENOENT false \"tool\" is not in PATH: install it, or give its absolute path\n"+
		"spawn EACCES false "+dir+"/tool could not be started: a directory on its path may not be entered: give this user the right to\n", a.stdout.String())
}
