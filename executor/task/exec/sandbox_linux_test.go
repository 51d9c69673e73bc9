package exec

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// sandboxes are the system calls that sandboxes deny, which were made before
// there were descriptors for processes.
var sandboxes = map[string][]uint32{
	"open": {unix.SYS_PIDFD_OPEN},
	"send": {unix.SYS_PIDFD_SEND_SIGNAL},
	"all":  {unix.SYS_PIDFD_OPEN, unix.SYS_PIDFD_SEND_SIGNAL},
}

// TestInASandbox: that descriptors for processes are denied is no reason to
// leave processes of a command, or to take long.
func TestInASandbox(t *testing.T) {
	for name := range sandboxes {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(must(os.Executable()), name, "-test.v", "-test.timeout=60s", "-test.run=^Test("+
				"StopsWhenAsked|IgnoresTheRequest|GraceIsTheGroups|KillsTheTree|StrayIsAskedFirst|Leftovers|HeldPipes|"+
				"Hidden|StoppedIsAsked|NothingIsLeftBehind|NoStatusIsTaken)$")
			cmd.Env = append(os.Environ(), modeVar+"=sandbox")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			t.Logf("%s", out)
		})
	}
}

// sandbox makes this process the program itself, with system calls denied.
func sandbox(args []string) {
	const nr = 0 // the offset of the number of the call
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nr}}
	for _, call := range sandboxes[args[0]] {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	must(0, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		panic(errno)
	}
	self := must(os.Executable())
	must(0, os.Unsetenv(modeVar))
	must(0, syscall.Exec(self, append([]string{self}, args[1:]...), os.Environ()))
}
