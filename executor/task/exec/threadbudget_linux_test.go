package exec

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// countThreads runs commands one after another, and says whether there were
// enough threads with the first, and whether each was given back.
func countThreads(args []string) {
	workers := number(args[0])
	c := must(New(Options{Workers: workers}))
	runTrue := func() { must(c.Run(context.Background(), Input{Argv: []string{"true"}})) }
	runTrue()
	before := threadIDs()
	for range 20 {
		var one sync.WaitGroup
		one.Go(runTrue) // a thread that was not given back ends with its goroutine
		one.Wait()
	}
	after := threadIDs()
	awaitNone := slices.DeleteFunc(before, func(id string) bool { return slices.Contains(after, id) })
	fmt.Println(len(after) >= threadsEach*workers+threadsBeside, len(awaitNone))
}

func threadIDs() (ids []string) {
	for _, entry := range must(os.ReadDir("/proc/self/task")) {
		ids = append(ids, entry.Name())
	}
	return ids
}

// TestThreads: they are there before they are needed, and stay.
func TestThreads(t *testing.T) {
	a := run(t, newCommand(t, Options{}), self("threads", "20"))
	require.NoError(t, a.err, "%s", a.stderr.String())
	require.Equal(t, "true 0\n", a.stdout.String())
}

func TestPlannedThreads(t *testing.T) {
	tests := map[string]struct{ workers, headroom, wanted, had int }{
		"much room":    {4, math.MaxInt, 16, 16},
		"just enough":  {4, 24, 16, 16},
		"a little":     {4, 22, 16, 15},
		"none":         {4, 0, 16, 0},
		"many workers": {math.MaxInt, math.MaxInt, maxThreads, maxThreads},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wanted, had := plannedThreads(test.workers, test.headroom)
			require.Equal(t, test.wanted, wanted)
			require.Equal(t, test.had, had)
		})
	}
}

// TestTooFewThreads: a command that there are no threads for is refused, and
// another one runs when one has ended.
func TestTooFewThreads(t *testing.T) {
	c := newCommand(t, Options{})
	c.launcher.threads.made.Do(func() { c.launcher.threads.most = 1 })
	a := begin(t, c, self("polite"))
	a.stdout.await(t, "ready")
	refused := run(t, c, Input{Argv: []string{"true"}})
	require.Equal(t, "spawn EAGAIN true", describe(refused.err))
	a.cancel(errStop)
	a.wait(t)
	require.Error(t, run(t, c, Input{Argv: []string{"/nonexistent"}}).err) // gives back, too
	require.NoError(t, run(t, c, Input{Argv: []string{"true"}}).err)
}

// TestUserTasks counts the only process of a user.
func TestUserTasks(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start a process of another user")
	}
	user := bombUser()
	require.Zero(t, userTasks(user))
	cmd := exec.Command("cat")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { stdin.Close(); _ = cmd.Wait() })
	_, err = stdin.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(stdout, make([]byte, 1)) // it shows its user when it runs
	require.NoError(t, err)
	require.Equal(t, 1, userTasks(user))
}
