//go:build linux || darwin || freebsd

package socket

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
)

func TestConnectionsShareAnExecutor(t *testing.T) {
	r := newRig(t, nil, Options{})
	a, b := r.dial(), r.dial()
	const id = "018f0000-0000-4000-8000-000000000001"
	_, err := b.call("subscribe", "{}")
	require.NoError(t, err)
	got, err := a.call("submit", `{"type":"long","id":"`+id+`"}`)
	require.NoError(t, err)
	require.Nil(t, got.Error)
	require.NoError(t, a.Close()) // leaves its task
	started, err := b.next()
	require.NoError(t, err)
	require.Equal(t, "task/started", started.Method)
	got, err = b.call("cancel", `{"id":"`+id+`"}`)
	require.NoError(t, err)
	require.Contains(t, string(got.Result), `"cancelling"`)
	ended, err := b.next()
	require.NoError(t, err)
	require.Equal(t, "task/finished", ended.Method)
	require.Eventually(t, func() bool { return r.Connections() == 1 }, soon, time.Millisecond)
}

func TestOneConnectionTooMany(t *testing.T) {
	r := newRig(t, nil, Options{MaxConnections: 2})
	first, second := r.dial(), r.dial()
	first.works(t)
	second.works(t)
	for range 300 { // as a fork bomb of clients
		refused, err := r.dial().next()
		require.NoError(t, err)
		require.Equal(t, "null", string(refused.ID))
		require.Contains(t, refused.Error.Message, "the limit of 2 open connections is reached (--max-connections)")
		require.Equal(t, "queueFull", refused.Error.Data.Kind)
		require.Equal(t, 2, refused.Error.Data.Limit)
	}
	first.works(t)
	require.NoError(t, second.Close())
	require.Eventually(t, func() bool {
		_, err := r.dial().call("stats", "{}")
		return err == nil
	}, soon, time.Millisecond)
}

// What is no request of the protocol is answered with an error, and harms nobody else.
func TestJunk(t *testing.T) {
	r := newRig(t, nil, Options{})
	other := r.dial()
	noise := make([]byte, 100<<10)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(noise)
	for name, text := range map[string]string{
		"HTTP":  "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"TLS":   "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x00", 150) + "\n",
		"noise": string(noise) + "\n",
		"zeros": strings.Repeat("\x00", 1<<10) + "\n",
	} {
		junk := r.dial()
		_, err := junk.Write([]byte(text))
		require.NoError(t, err, name)
		a, err := junk.next()
		require.NoError(t, err, name)
		require.Equal(t, "parseError", a.Error.Data.Kind, name)
		other.works(t)
	}
}

// stallIn makes a client send requests until the server reads no more of them, and
// read nothing.
func (c *caller) stall(t *testing.T) {
	lines := bytes.Repeat([]byte(`{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`+"\n"), 100)
	require.NoError(t, c.SetWriteDeadline(time.Now().Add(300*time.Millisecond)))
	for {
		if _, err := c.Write(lines); err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		}
	}
}

// A client that does not read delays no other, and not the end of the server for long.
func TestAClientThatDoesNotRead(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, nil, Options{RPC: rpc.Options{MaxUnsent: 1 << 20}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	stalled, other := r.dial(), r.dial()
	stalled.stall(t)
	other.works(t)
	a, err := other.call("shutdown", `{"scope":"executor"}`)
	require.NoError(t, err)
	require.Nil(t, a.Error)
	r.over()
	require.Contains(t, log.String(), "the last messages are dropped")
	_, err = io.Copy(io.Discard, stalled)
	require.True(t, gone(err) || err == nil)
}

func TestTheEndOfAServerWithNothingToDo(t *testing.T) {
	const idle = 100 * time.Millisecond
	var r *rig
	var c *caller
	for c == nil { // a busy machine may take longer than that
		r = newRig(t, nil, Options{Idle: idle})
		if conn, err := Dial(t.Context(), r.path); err == nil {
			c = newCaller(conn)
		}
	}
	time.Sleep(3 * idle)
	c.works(t) // a connection keeps it
	a, err := c.call("submit", `{"type":"long","id":"018f0000-0000-4000-8000-000000000001"}`)
	require.NoError(t, err)
	require.Nil(t, a.Error)
	require.NoError(t, c.Close())
	time.Sleep(3 * idle)
	c = r.dial()
	c.works(t) // a task keeps it
	_, err = c.call("cancel", `{"id":"018f0000-0000-4000-8000-000000000001"}`)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	r.over()
	_, err = Dial(t.Context(), r.path)
	require.ErrorIs(t, err, ErrNobodyListens)
	require.NoFileExists(t, r.path)
}

// A client that has connected is served, also where the server was about to end. One
// that has not is told so.
func TestNoClientIsLostAtTheEnd(t *testing.T) {
	const clients, calls = 4, 50
	r := newRig(t, nil, Options{Idle: time.Nanosecond})
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			pauses := rand.New(rand.NewPCG(1, uint64(i)))
			for range calls {
				time.Sleep(time.Duration(pauses.IntN(int(time.Millisecond))))
				switch err := callOnce(t, r.path); {
				case errors.Is(err, ErrNobodyListens) && r.ex.ShuttingDown():
					return
				case errors.Is(err, ErrNobodyListens): // it listens again, because another was faster
				case err != nil:
					t.Errorf("a client that has connected is not answered: %v", err)
				}
			}
		})
	}
	all.Wait()
	r.over()
}

// callOnce makes one call on a connection of its own.
func callOnce(t *testing.T, path string) error {
	conn, err := Dial(t.Context(), path)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = conn.Write([]byte(`{"jsonrpc":"2.0","id":1,"method":"unsubscribe","params":{"subscription":1}}` + "\n")); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

func TestASocketThatSomebodyRemovesIsMadeAgain(t *testing.T) {
	r := newRig(t, func(s *Server) { s.look = time.Millisecond }, Options{})
	for range 20 { // the server may have accepted the client, or not yet
		before := r.dial()
		require.NoError(t, os.Remove(r.path))
		require.Eventually(t, func() bool { _, err := os.Lstat(r.path); return err == nil }, soon, time.Millisecond)
		before.works(t)
		r.dial().works(t)
	}
}

// A folder of sockets is removed as at the logout of its user. The server goes on, and
// comes back with the folder.
func TestAFolderThatSomebodyRemovesIsMadeAgain(t *testing.T) {
	r := newRig(t, func(s *Server) { s.look = 5 * time.Millisecond }, Options{})
	before, folder := r.dial(), filepath.Dir(r.path)
	require.NoError(t, os.RemoveAll(folder))
	require.Eventually(t, func() bool { return answers(t.Context(), r.path) }, soon, time.Millisecond)
	before.works(t)
	r.dial().works(t)
	lock, err := TryLock(LockPath(r.path))
	require.NoError(t, err)
	require.Nil(t, lock, "another process could serve the socket")
	holder, err := Holder(r.path)
	require.NoError(t, err)
	require.Contains(t, holder, strconv.Itoa(os.Getpid()))
}

// While another process has taken the place, or the folder cannot be made, the server
// serves the clients that it has.
func TestAFolderThatCannotBeMadeAgainYet(t *testing.T) {
	for name, hinder := range map[string]func(t *testing.T, r *rig) (undo func()){
		"another server": func(t *testing.T, r *rig) func() {
			require.NoError(t, os.Mkdir(filepath.Dir(r.path), 0o700))
			lock, err := TryLock(LockPath(r.path))
			require.NoError(t, err)
			require.NotNil(t, lock)
			return func() { require.NoError(t, lock.Release()) }
		},
		"a file in the place": func(t *testing.T, r *rig) func() {
			require.NoError(t, os.WriteFile(filepath.Dir(r.path), nil, 0o600))
			return func() { require.NoError(t, os.Remove(filepath.Dir(r.path))) }
		},
		"no place to listen": func(t *testing.T, r *rig) func() {
			fresh := r.path + newSuffix
			require.NoError(t, os.Mkdir(filepath.Dir(r.path), 0o700))
			require.NoError(t, os.Mkdir(fresh, 0o700))
			return func() { require.NoError(t, os.Remove(fresh)) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log lines
			r := newRig(t, func(s *Server) { s.look = 50 * time.Millisecond }, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			before := r.dial()
			before.works(t)
			require.NoError(t, os.Rename(filepath.Dir(r.path), filepath.Dir(r.path)+"-gone"))
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(filepath.Dir(r.path)+"-gone")) })
			undo := hinder(t, r)
			require.Eventually(t, func() bool { return log.has("it cannot be made again yet") }, soon, time.Millisecond)
			before.works(t)
			undo()
			require.Eventually(t, func() bool { return answers(t.Context(), r.path) }, soon, time.Millisecond)
			r.dial().works(t)
		})
	}
}

func TestShutdownOfTheExecutorTellsAll(t *testing.T) {
	r := newRig(t, nil, Options{})
	var others []*caller
	for range 5 {
		c := r.dial()
		c.works(t)
		others = append(others, c)
	}
	a, err := r.dial().call("shutdown", `{"scope":"executor","mode":"cancel"}`)
	require.NoError(t, err)
	require.Nil(t, a.Error)
	for _, c := range others {
		told, err := c.next()
		require.NoError(t, err)
		require.Equal(t, "executor/shuttingDown", told.Method)
		_, err = c.next()
		require.ErrorIs(t, err, io.EOF)
	}
	r.over()
}

// An idle connection takes little memory.
func TestMemoryOfIdleConnections(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const connections, most = 200, 40 << 10
	r := newRig(t, nil, Options{})
	r.dial().works(t)
	before := memoryInUse()
	for i := range connections {
		_, err := r.dial().call("initialize", `{"clientInfo":{"name":"client `+strconv.Itoa(i)+`"}}`)
		require.NoError(t, err)
	}
	each := (memoryInUse() - before) / connections
	t.Logf("%d bytes each, of client and server together", each)
	require.Less(t, each, most)
}
