package exec

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestOrphansAreReaped: as the first process of a namespace, and as a
// subreaper, this process waits for the orphans that come to it, and takes no
// exit status from others who wait.
func TestOrphansAreReaped(t *testing.T) {
	const want = "commands <nil>\nothers <nil>\norphans false\nearly 7\nzombies false\n"
	t.Run("first process", func(t *testing.T) {
		out, err := inNewPIDs(t, "orphans", "--mount-proc").Output()
		require.NoError(t, err)
		require.Equal(t, want, string(out))
	})
	t.Run("subreaper", func(t *testing.T) {
		a := run(t, newCommand(t, Options{}), self("orphans"))
		require.NoError(t, a.err, "%s", a.stderr.String())
		require.Equal(t, want, a.stdout.String())
	})
}

// TestNoStatusIsTaken: a process that is waited for late keeps its exit status.
// TestInASandbox runs this, too, where package os has no descriptors.
func TestNoStatusIsTaken(t *testing.T) {
	require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	defer func() { require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)) }()
	stop := ReapOrphans()
	defer stop()
	require.NoError(t, waitLate(exec.Command("sh", "-c", "exit 3")))
}

// makeOrphans runs commands that leave orphans, while others run processes and
// are slow to wait for them, and prints how that went.
func makeOrphans([]string) {
	must(0, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	c := must(New(Options{}))
	early := exec.Command("sh", "-c", "exit 7")
	must(0, early.Start())
	awaitZombie(early.Process.Pid) // the system shows it before all others
	stop := ReapOrphans()
	var mu sync.Mutex
	var commands, others []error
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				_, err := c.Run(context.Background(), Input{Argv: []string{"sh", "-c", "setsid true & setsid sh -c 'sleep 0.01 & exit 0' &"}})
				mu.Lock()
				commands = append(commands, err)
				mu.Unlock()
			}
		})
		all.Go(func() {
			for range 10 {
				err := waitLate(exec.Command("sh", "-c", "exit 3"))
				mu.Lock()
				others = append(others, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	fmt.Println("commands", errors.Join(commands...))
	fmt.Println("others", errors.Join(others...))
	for until := time.Now().Add(patience); orphanZombies(early.Process.Pid) && time.Now().Before(until); {
		time.Sleep(reapPause)
	}
	fmt.Println("orphans", orphanZombies(early.Process.Pid))
	_ = early.Wait()
	fmt.Println("early", early.ProcessState.ExitCode())
	fmt.Println("zombies", zombies())
	stop()
	must(0, c.Close())
}

// waitLate says what is wrong with the end of a process that exits with 3, which
// is long over when it is waited for.
func waitLate(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	awaitZombie(cmd.Process.Pid)
	time.Sleep(2 * reapPause)
	if _ = cmd.Wait(); cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 3 {
		return fmt.Errorf("its end was taken: %v", cmd.ProcessState)
	}
	return nil
}

func awaitZombie(pid int) {
	must(0, unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
}

// orphanZombies reports whether a given child is to be reaped, but for one.
func orphanZombies(except int) bool {
	for _, pid := range adoptedChildren() {
		if pid != except && endedChild(unix.P_PID, pid) != 0 {
			return true
		}
	}
	return false
}
