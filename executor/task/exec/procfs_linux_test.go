package exec

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// inNewPIDs is a command that runs this binary in a mode in a new PID namespace.
func inNewPIDs(t *testing.T, mode string, options ...string) *exec.Cmd {
	if _, err := exec.LookPath("unshare"); err != nil || os.Geteuid() != 0 {
		t.Skip("unshare and root are needed for a new PID namespace")
	}
	options = append(options, "--pid", "--fork", "--kill-child", must(os.Executable()))
	cmd := exec.CommandContext(t.Context(), "unshare", options...)
	cmd.Env = append(os.Environ(), modeVar+"="+mode)
	cmd.Stderr = os.Stderr
	return cmd
}

// TestUnrelatedProcessesAreSpared has the /proc of another PID namespace, in which the commands of
// this process have other numbers. Processes that have those numbers here are not signalled,
// neither by a stop nor by the guard.
func TestUnrelatedProcessesAreSpared(t *testing.T) {
	out, err := inNewPIDs(t, "unknown-env").Output()
	require.NoError(t, err)
	require.Equal(t, "stopped true\n2 live\nclosed <nil>\n2 live\n", string(out))
}

// stopWithUnknownEnv runs a command of two processes, and starts unrelated processes with the
// numbers that those have in /proc. It stops the command, and prints how many of the unrelated
// ones live, and again when the guard is done.
func stopWithUnknownEnv([]string) {
	c := must(New(Options{}))
	var stdout screen
	ctx, cancel := context.WithCancel(context.Background())
	killed, done := make(chan struct{}), make(chan error)
	go func() {
		_, err := c.run(ctx, &Input{Argv: []string{"sh", "-c", `trap "" TERM; setsid sleep 1000 >/dev/null 2>&1 & echo ready; wait`}}, task{
			id: uuid.NewString(), stdout: &stdout, stderr: io.Discard, started: func(int) {}, killed: killed,
		})
		done <- err
	}()
	for !strings.Contains(stdout.String(), "ready") {
	}
	var outside []int
	for len(outside) < 2 { // sh, and sleep, which may still be sh's child's fork
		outside = markedOutside(c.server)
	}
	var unrelated []*exec.Cmd
	for _, pid := range outside {
		unrelated = append(unrelated, startAs(pid))
	}
	cancel()
	close(killed)
	fmt.Println("stopped", <-done != nil)
	fmt.Println(living(unrelated), "live")
	fmt.Println("closed", c.Close())
	fmt.Println(living(unrelated), "live")
}

// markedOutside are the numbers that /proc gives to what is marked.
func markedOutside(server string) (pids []int) {
	for _, file := range must(filepath.Glob("/proc/[0-9]*/environ")) {
		env, _ := os.ReadFile(file)
		if bytes.Contains(env, []byte(server)) {
			pids = append(pids, number(strings.Split(file, "/")[2]))
		}
	}
	return pids
}

// startAs starts a process that gets a number in this PID namespace.
func startAs(pid int) *exec.Cmd {
	must(0, os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0))
	cmd := exec.Command("sleep", "1000")
	must(0, cmd.Start())
	if cmd.Process.Pid != pid {
		panic(fmt.Sprintf("it has number %d instead of %d", cmd.Process.Pid, pid))
	}
	return cmd
}

func living(all []*exec.Cmd) (n int) {
	for _, cmd := range all {
		var info unix.Siginfo
		must(0, unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil))
		if info.Signo == 0 {
			n++
		}
	}
	return n
}

// conceal makes it as where there is no /proc.
func (p *procfs) conceal(t *testing.T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NoError(t, p.dir.Close())
	p.dir, p.root = nil, t.TempDir()
}

// TestWithoutProc: a command's process group is stopped and seen to end also
// where there are neither cgroups nor a /proc.
func TestWithoutProc(t *testing.T) {
	c := newScanning(t, Options{})
	c.launcher.scan.proc.conceal(t)
	f := newFIFO(t)
	in := Input{Argv: []string{"sh", "-c", `trap "" TERM; exec 3>"$0"; echo $$ >&3; (echo 1 >&3; sleep 1000) & wait; wait`, f.path}}
	requireKilled(t, c, f, in, 2)
	f = newFIFO(t)
	a := begin(t, c, self("leave", f.path))
	f.holders(t, 1)
	a.wait(t)
	require.NoError(t, a.err)
	require.False(t, a.result.Leaked)
	f.requireFree(t)
}

// TestSight: who sees only his own processes knows it.
func TestSight(t *testing.T) {
	cmd := inNewPIDs(t, "visibility", "--mount")
	cmd.Args = append(cmd.Args[:len(cmd.Args)-1], "sh", "-c", `"$0"; mount -t proc -o hidepid="$1" proc /proc && "$0"; umount /proc; umount /proc; "$0"`, must(os.Executable()), "2")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintln(noneVisible)+fmt.Sprintln(ownVisible)+fmt.Sprintln(noneVisible), string(out))
}

// logVisibility prints how much an unprivileged process sees.
func logVisibility([]string) {
	becomeNobody()
	p := procfs{root: procDir}
	fmt.Println(p.visibility())
}

// nobody is a user who may do nothing in particular.
const nobody = 65534

func becomeNobody() {
	must(0, syscall.Setgroups(nil)) // who is in group 0 sees all
	must(0, syscall.Setgid(nobody))
	must(0, syscall.Setuid(nobody))
}

func TestNumbersAlike(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nPid:\t7\nPPid:\t1\nNSpid:\t7\n":    true,
		"Name:\tx\nPid:\t7\nPPid:\t1\nNSpid:\t7\t7\n": false, // by chance
		"Name:\tx\nPid:\t9\nPPid:\t1\nNSpid:\t9\t7\n": false,
		"Pid:\t9\nNSpid:\t9\n":                        false,
		"Name:\tx\nPid:\t7\nPPid:\t1\n":               true, // a kernel without namespaces
		"Name:\tx\nPid:\t1\nPPid:\t7\n":               false,
		"":                                            false,
	} {
		require.Equal(t, want, numbersAlike(status, 7), "%q", status)
	}
}
