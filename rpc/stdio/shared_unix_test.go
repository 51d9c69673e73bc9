//go:build unix

package stdio

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/schema"
)

// waits says that reads and writes of a file wait, as others who share it expect.
func waits(t *testing.T, f *os.File) bool {
	t.Helper()
	raw, err := f.SyscallConn() // Fd could change what is asked for
	require.NoError(t, err)
	var flags int
	require.NoError(t, raw.Control(func(fd uintptr) {
		flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0)
	}))
	require.NoError(t, err)
	return flags&unix.O_NONBLOCK == 0
}

// A server leaves the flags of the files that it was given as they are: they
// belong to all who share them.
func TestFlagsOfSharedFiles(t *testing.T) {
	pipe := func(t *testing.T) (near, far *os.File) {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		return r, w
	}
	for name, c := range map[string]struct {
		open  func(*testing.T) (near, far *os.File)
		other bool // the server runs as a user who may not open the file anew
	}{
		"sockets":              {socketPair, false},
		"pipes":                {pipe, false},
		"pipes of another one": {pipe, true},
	} {
		t.Run(name, func(t *testing.T) {
			var program string
			if c.other {
				program = forEverybody(t)
			}
			nearOut, farOut := c.open(t)
			farIn, nearIn := c.open(t)
			for _, f := range []*os.File{nearOut, farOut, farIn, nearIn} {
				defer f.Close()
			}
			p := start(t, "main", func(cmd *exec.Cmd) {
				cmd.Stdin, cmd.Stdout = farIn, farOut
				if c.other {
					cmd.Path, cmd.Dir = program, "/"
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
				}
			})
			require.True(t, waits(t, farIn) && waits(t, farOut), "before")
			p.in, p.out, p.lines = nearIn, nearOut, bufio.NewReader(nearOut)
			p.submit("flood", `,"events":["output"]`) // much more than the file takes at once
			for range 100 {
				p.until(schema.NotifyOutput)
			}
			require.True(t, waits(t, farIn), "stdin")
			require.True(t, waits(t, farOut), "stdout")
			p.send(`{"jsonrpc":"2.0","id":2,"method":"shutdown","params":{"mode":"cancel"}}` + "\n")
			p.untilReply("2")
			require.NoError(t, nearIn.Close())
			require.Zero(t, p.exit())
			require.True(t, waits(t, farIn) && waits(t, farOut), "after")
		})
	}
}

// forEverybody is a copy of the test's program that other users may run.
func forEverybody(t *testing.T) string {
	if os.Getuid() != 0 {
		t.Skip("only root can start a server as another user")
	}
	dir, err := os.MkdirTemp("/tmp", "jobline-stdio-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	text, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	name := filepath.Join(dir, "server")
	require.NoError(t, os.WriteFile(name, text, 0o755))
	return name
}

// A FIFO that is open for reading and writing has no end.
func TestFIFOForReadingAndWriting(t *testing.T) {
	name := filepath.Join(t.TempDir(), "requests")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	fifo, err := os.OpenFile(name, os.O_RDWR, 0)
	require.NoError(t, err)
	p := start(t, "main", func(cmd *exec.Cmd) { cmd.Stdin = fifo })
	require.NoError(t, fifo.Close())
	for range 2 {
		writer, err := os.OpenFile(name, os.O_WRONLY, 0)
		require.NoError(t, err)
		p.in = writer
		p.submit("noop", "")
		require.NoError(t, writer.Close())
		p.until(schema.NotifyFinished)
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	_, code := p.end()
	require.Equal(t, 128+int(syscall.SIGTERM), code)
}

// A shared pipe carries what does not fit in it, both ways, and is closed
// while somebody waits for it.
func TestSharedPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	out, err := newSharedDescriptor(int(w.Fd()), false)
	require.NoError(t, err)
	in, err := newSharedDescriptor(int(r.Fd()), false)
	require.NoError(t, err)
	much := []byte(strings.Repeat("0123456789abcde\n", 1<<16))
	n, err := out.TryWrite(much)
	require.NoError(t, err)
	require.Positive(t, n)
	require.Less(t, n, len(much), "it does not wait")
	got := make([]byte, n)
	_, err = io.ReadFull(in, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, much[:n]))

	go func() { _, _ = out.Write(much) }()
	got = make([]byte, len(much))
	_, err = io.ReadFull(in, got)
	require.NoError(t, err)
	require.True(t, bytes.Equal(got, much))

	waiting := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 1))
		waiting <- err
	}()
	time.Sleep(10 * time.Millisecond) // most often it waits by now; either way it must end
	require.NoError(t, in.Close())
	require.ErrorIs(t, <-waiting, os.ErrClosed)
	require.NoError(t, w.Close())
	in, err = newSharedDescriptor(int(r.Fd()), false)
	require.NoError(t, err)
	_, err = in.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
	require.NoError(t, r.Close())
}
