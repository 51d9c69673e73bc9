package exec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// passOn prints what a command has got of this process: its descriptors and
// its signals.
func passOn([]string) {
	c := must(New(Options{}))
	for _, argv := range [][]string{
		{"sh", "-c", `for f in /proc/$$/fd/*; do [ -e "$f" ] && echo ${f##*/}; done; true`},
		{"grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"}, // a shell would change them
	} {
		var out screen
		must(c.run(context.Background(), &Input{Argv: argv}, task{
			id: "a", stdout: &out, stderr: os.Stderr, started: func(int) {},
		}))
		fmt.Print(out.String())
	}
	must(0, c.Close())
}

// TestNothingIsPassedOn: what the starter of a server has open, and the signals
// that it has blocked, are not for commands.
func TestNothingIsPassedOn(t *testing.T) {
	mode := self("pass-on")
	cmd := exec.Command(mode.Argv[0])
	cmd.Env = append(os.Environ(), modeVar+"="+*mode.Env[modeVar])
	cmd.Stderr = os.Stderr
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	cmd.ExtraFiles = []*os.File{w, w}
	var out strings.Builder
	cmd.Stdout = &out
	require.NoError(t, withBlocked(cmd.Start, unix.SIGTERM, unix.SIGUSR1))
	require.NoError(t, cmd.Wait())
	require.Equal(t, "0\n1\n2\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", out.String())
}

// withBlocked starts something on a thread that has signals blocked.
func withBlocked(start func() error, signals ...unix.Signal) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine
		var set unix.Sigset_t
		for _, s := range signals {
			set.Val[0] |= 1 << (s - 1)
		}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil); err != nil {
			result <- err
			return
		}
		result <- start()
	}()
	return <-result
}
