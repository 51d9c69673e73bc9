package cmd

import (
	"bufio"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestClientsAbruptEnd kills editors with SIGKILL, which tells nobody, while a
// task runs: the server and the task's process must end all the same.
func TestClientsAbruptEnd(t *testing.T) {
	offerJobline(t)
	for _, c := range realClients {
		if c.abrupt == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), clientPatience)
			defer cancel()
			client := c.run(t, ctx, c.abrupt)
			out, err := client.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, client.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			var server, task int
			_, err = fmt.Sscan(line, &server, &task)
			require.NoError(t, err, line)
			ended := []func() error{watchProcess(t, server), watchProcess(t, task)}

			require.NoError(t, client.Process.Kill())
			require.Error(t, client.Wait())
			for _, e := range ended {
				require.NoError(t, e())
			}
		})
	}
}

// watchProcess takes hold of a process that lives, so that its id cannot come
// to mean another one, and answers what waits for its end.
func watchProcess(t *testing.T, pid int) (ended func() error) {
	fd, err := unix.PidfdOpen(pid, 0)
	require.NoError(t, err, "process %d", pid)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func() error {
		deadline := time.Now().Add(soon)
		for {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, int(max(0, time.Until(deadline).Milliseconds())))
			switch {
			case err == unix.EINTR:
			case err != nil:
				return err
			case n == 0:
				return fmt.Errorf("process %d is still there", pid)
			default:
				return nil
			}
		}
	}
}
