package exec

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// printSession prints what a command sees of this process's terminal.
func printSession(args []string) {
	c := must(New(Options{}))
	if args[0] == "scan" {
		c.launcher.cgroups.forgo()
	}
	var out screen
	_, err := c.run(context.Background(), &Input{
		Argv: []string{"sh", "-c", `
			(exec 3</dev/tty) 2>/dev/null && echo terminal || echo no terminal
			read -r pid name state parent group session rest </proc/self/stat
			[ "$group" = $$ ] && echo own group
			[ "$session" = $$ ] && echo own session || echo no session`},
	}, task{id: "a", stdout: &out, stderr: &out, started: func(int) {}})
	fmt.Println(out.String(), err)
	must(0, c.Close())
}

// TestSession shows that the terminal of the server is not for commands, that
// its Ctrl-C is for another process group, and that a command has a session of
// its own where that is needed for either, or to find its processes.
func TestSession(t *testing.T) {
	if newCommand(t, Options{}).launcher.cgroups.open() == "" {
		t.Skip("there are no control groups to be had")
	}
	for _, containment := range []string{"cgroup", "scan"} {
		for _, terminal := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s,terminal=%v", containment, terminal), func(t *testing.T) {
				mode := self("session", containment)
				cmd := exec.Command(mode.Argv[0], mode.Argv[1:]...)
				cmd.Env = append(os.Environ(), modeVar+"=session")
				cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
				if terminal {
					cmd.Stdin = openTerminal(t)
					cmd.SysProcAttr.Setctty = true
				}
				out, err := cmd.Output()
				require.NoError(t, err)
				want := "no session"
				if terminal || containment == "scan" {
					want = "own session"
				}
				require.Equal(t, "no terminal\nown group\n"+want+"\n <nil>\n", string(out))
			})
		}
	}
}

// openTerminal makes a terminal that nobody has.
func openTerminal(t *testing.T) *os.File {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err := os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { terminal.Close() })
	return terminal
}
