//go:build unix

package cmd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/socket"
)

// TestAServerThatDoesNotAnswer is said to be one, with its process.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	defer func(before time.Duration) { answerTimeout = before }(answerTimeout)
	answerTimeout = 50 * time.Millisecond
	path := filepath.Join(socketDirOf(t), "s")
	s, err := socket.Reserve(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	defer func() {
		require.NoError(t, s.Retire())
		require.NoError(t, s.Release())
	}()
	_, err = (&Program{Name: "jobline"}).connect(t.Context(), &targetOptions{socket: path})
	require.EqualError(t, err, fmt.Sprintf("the server on %s: process %d has not answered within 50ms: it is stopped or hangs; "+
		"kill -9 %d ends it, and a store on disk loses nothing", path, os.Getpid(), os.Getpid()))
}

// TestAServerThatEndsBeforeItsStarterConnects was idle for longer than it may be: that
// is no failure of its start, and the next one is started.
func TestAServerThatEndsBeforeItsStarterConnects(t *testing.T) {
	s := Scope{Socket: filepath.Join(socketDirOf(t), "s"), Log: filepath.Join(t.TempDir(), "log")}
	ended := make(chan error, 1)
	ended <- nil
	_, err := s.awaitServer(t.Context(), ended, 0)
	require.ErrorIs(t, err, socket.ErrNobodyListens)
	ended <- errors.New("exit status 1")
	_, err = s.awaitServer(t.Context(), ended, 0)
	require.ErrorContains(t, err, "the server did not start")
}

// TestAServerThatIsStarting has the lock of its socket, and nobody listens yet: no other one is started
// meanwhile.
func TestAServerThatIsStarting(t *testing.T) {
	home := daemonHome(t)
	s, err := socket.Reserve(t.Context(), home.Socket)
	require.NoError(t, err)
	list := exec.Command("jobline", "list")
	require.NoError(t, list.Start())
	require.Eventually(t, func() bool {
		lock, err := socket.TryLock(home.Socket + startSuffix) // the command has it from time to time
		return err == nil && (lock == nil || lock.Release() != nil)
	}, soon, time.Millisecond)
	time.Sleep(50 * time.Millisecond) // for a server that would be started
	require.NoFileExists(t, home.Log)
	require.NoError(t, s.Release())
	require.NoError(t, list.Wait())
	require.FileExists(t, home.Log)
	require.NotEqual(t, os.Getpid(), home.pid(t))
}

// TestAServerThatEndsWhileAClientConnects: the client connects anew, and starts the
// next one.
func TestAServerThatEndsWhileAClientConnects(t *testing.T) {
	home := daemonHome(t)
	s, err := socket.Reserve(t.Context(), home.Socket)
	require.NoError(t, err)
	require.NoError(t, s.Listen())
	ended := make(chan error, 1)
	go func() {
		conn, err := s.Accept() // and it does not answer
		if err == nil {
			err = s.Retire()
		}
		if err == nil {
			err = conn.Close()
		}
		time.Sleep(50 * time.Millisecond) // it is ending, and has the lock
		if err == nil {
			err = s.Release()
		}
		ended <- err
	}()
	out, err := exec.Command("jobline", "list").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, <-ended)
	require.NotEqual(t, os.Getpid(), home.pid(t))
}
