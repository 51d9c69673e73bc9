//go:build unix

package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// daemonHome gives the programs of a test a place of their own, where no server runs.
// What runs at the end of the test is ended.
func daemonHome(t *testing.T) *Scope {
	t.Helper()
	dir := socketDirOf(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	t.Setenv(socketVariable, "")
	t.Setenv("JOBLINE_IDLE", "1m") // where the end of the test is not reached
	s, err := (&Program{Name: "jobline"}).scope(&targetOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		out, err := exec.Command("jobline", "shutdown", "--mode=cancel").CombinedOutput()
		require.NoError(t, err, string(out))
	})
	return &s
}

// pid is the process of the server.
func (s *Scope) pid(t *testing.T) (pid int) {
	t.Helper()
	text, err := os.ReadFile(s.Lock)
	require.NoError(t, err)
	_, err = fmt.Sscanf(string(text), "process %d", &pid)
	require.NoError(t, err)
	return pid
}

func submitLine(id uuid.UUID, task string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"id":"%s",%s}}`, id, task)
}

// TestManyStartsAtOnce: all of them are answered, by one server.
func TestManyStartsAtOnce(t *testing.T) {
	const starts = 100
	s := daemonHome(t)
	var all sync.WaitGroup
	for range starts {
		all.Go(func() {
			c := exec.Command("jobline", "attach")
			c.Stdin = strings.NewReader(submitLine(uuid.New(), `"type":"noop","events":[]`) + "\n")
			out, err := c.CombinedOutput()
			if err != nil || !bytes.HasPrefix(out, []byte(`{"jsonrpc":"2.0","id":1,"result":`)) || bytes.Count(out, []byte("\n")) != 1 {
				t.Errorf("attach: %v: %s", err, out)
			}
		})
	}
	all.Wait()
	log, err := os.ReadFile(s.Log)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(log), "msg=serving"), string(log))
	require.NotContains(t, string(log), "level=ERROR")
	p := start(t, "attach")
	fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":1,"method":"list","params":{"limit":1000}}`)
	require.Equal(t, starts, strings.Count(p.until(t, `"id":1`), `"type":"noop"`))
	require.NoError(t, p.in.Close())
	_, code := p.exit(t)
	require.Zero(t, code)
}

// TestAServerThatIsKilledIsToldToAll kills the server of many clients: each is told,
// and each finds its task again.
func TestAServerThatIsKilledIsToldToAll(t *testing.T) {
	const clients = 20
	s := daemonHome(t)
	ids, attached := make([]uuid.UUID, clients), make([]*program, clients)
	for i := range attached {
		ids[i], attached[i] = uuid.New(), start(t, "attach")
		fmt.Fprintln(attached[i].in, submitLine(ids[i], `"type":"noop","events":["finished"]`))
		attached[i].until(t, "task/finished")
	}
	require.NoError(t, syscall.Kill(s.pid(t), syscall.SIGKILL))
	for _, p := range attached {
		rest, code := p.exit(t)
		require.Empty(t, rest)
		require.Equal(t, 1, code)
		require.Contains(t, p.stderr.String(), "jobline: attach: the server on "+s.Socket+" has ended: it was killed")
	}
	for _, id := range ids {
		p := start(t, "attach")
		fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":2,"method":"status","params":{"id":"%s"}}`+"\n", id)
		require.Contains(t, p.until(t, `"id":2`), `"state":"completed"`)
		require.NoError(t, p.in.Close())
		_, code := p.exit(t)
		require.Zero(t, code)
	}
}

// TestACommandWaitsForTheStore of a server that does not listen, as it is about to end
// or has lost its socket.
func TestACommandWaitsForTheStore(t *testing.T) {
	s := daemonHome(t)
	require.NoError(t, s.makeState())
	holder := start(t, "serve", "--store", s.Store)
	fmt.Fprintln(holder.in, `{"jsonrpc":"2.0","id":1,"method":"stats"}`)
	holder.until(t, `"id":1`)
	var errs bytes.Buffer
	c := exec.Command("jobline", "list")
	c.Stderr = &errs
	require.NoError(t, c.Start())
	require.Eventually(t, func() bool {
		log, err := os.ReadFile(s.Log)
		return err == nil && bytes.Contains(log, []byte("is held by"))
	}, soon, time.Millisecond)
	require.NoError(t, holder.in.Close())
	_, code := holder.exit(t)
	require.Zero(t, code)
	require.NoError(t, c.Wait(), errs.String())
}

// TestAServerThatIsKilledIsToldBehindTheNext: the next server answers already when a
// client looks what has become of its own.
func TestAServerThatIsKilledIsToldBehindTheNext(t *testing.T) {
	s := daemonHome(t)
	p := start(t, "attach")
	fmt.Fprintln(p.in, submitLine(uuid.New(), `"type":"noop","events":["finished"]`))
	p.until(t, "task/finished")
	require.NoError(t, p.Process.Signal(syscall.SIGSTOP))
	require.NoError(t, syscall.Kill(s.pid(t), syscall.SIGKILL))
	out, err := exec.Command("jobline", "list").CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, p.Process.Signal(syscall.SIGCONT))
	_, code := p.exit(t)
	require.Equal(t, 1, code)
	require.Contains(t, p.stderr.String(), "jobline: attach: the server on "+s.Socket+" has ended: it was killed")
}

// TestOneClientOfTwoIsKilled: its task goes on, and the other sees the end.
func TestOneClientOfTwoIsKilled(t *testing.T) {
	daemonHome(t)
	killed, other := start(t, "attach"), start(t, "attach")
	fmt.Fprintln(other.in, `{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{}}`)
	other.until(t, `"id":1`)
	id, pipe := uuid.New(), filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	fmt.Fprintln(killed.in, submitLine(id, `"type":"exec","input":{"argv":["sh","-c","read word <'`+pipe+`'"]}`))
	killed.until(t, "task/started")
	require.NoError(t, killed.Process.Kill())
	_, _ = killed.exit(t)
	require.NoError(t, os.WriteFile(pipe, []byte("go\n"), 0))
	require.Contains(t, other.until(t, "task/finished"), `"state":"completed"`)
	fmt.Fprintln(other.in, `{"jsonrpc":"2.0","id":2,"method":"shutdown","params":{}}`)
	other.until(t, `"id":2`)
	rest, code := other.exit(t)
	require.Empty(t, rest)
	require.Zero(t, code, "the connection has ended, and the server goes on")
}

// TestUpgrade: a newer program meets an older server, which has tasks in its queue.
func TestUpgrade(t *testing.T) {
	s := daemonHome(t)
	t.Setenv("JOBLINE_LIMIT", "1")
	older := exec.Command("older", "attach")
	var waiting []uuid.UUID
	blocker := uuid.New()
	lines := submitLine(blocker, `"type":"sleep","input":{"durationMs":86400000}`) + "\n"
	for range 3 {
		waiting = append(waiting, uuid.New())
		lines += submitLine(waiting[len(waiting)-1], `"type":"noop","events":[]`) + "\n"
	}
	older.Stdin = strings.NewReader(lines)
	out, err := older.Output()
	require.NoError(t, err)
	require.Equal(t, 4, strings.Count(string(out), `"id":1,"result"`))
	before := s.pid(t)

	newer := func(args ...string) (stdout, stderr string) {
		t.Helper()
		c := exec.Command("newer", args...)
		var said bytes.Buffer
		c.Stderr = &said
		out, err := c.Output()
		require.NoError(t, err, said.String())
		return string(out), said.String()
	}
	const hint = "jobline: the server that runs is of version 1.2.0, and this program of 1.10.0; jobline shutdown ends it, and the next command starts the new one\n"
	_, said := newer("list", "--json")
	require.Equal(t, hint, said)
	require.Equal(t, before, s.pid(t))
	found, _ := newer("doctor")
	require.Contains(t, found, "warn  version")
	_, _ = newer("cancel", blocker.String()) // its task would not end
	_, _ = newer("shutdown")
	for _, id := range waiting {
		task, said := newer("wait", "--json", id.String())
		require.Empty(t, said)
		require.Contains(t, task, `"state":"completed"`)
	}
	require.NotEqual(t, before, s.pid(t))
	list := exec.Command("older", "list", "--json") // says nothing of a newer server
	out, err = list.CombinedOutput()
	require.NoError(t, err)
	require.NotContains(t, string(out), "version")
}

// TestNothingOfTheStarterIsPassedOn: a server has a session of its own, none of the
// descriptors of the process that has started it, and ignores no signal that this does.
func TestNothingOfTheStarterIsPassedOn(t *testing.T) {
	s := daemonHome(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	c := exec.Command("sh", "-c", "trap '' HUP; exec jobline attach")
	c.ExtraFiles = []*os.File{w}
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(""), w, w
	require.NoError(t, c.Run())
	require.NoError(t, w.Close())
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, r)
		ended <- err
	}()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(soon):
		require.Fail(t, "the server has a descriptor of its starter")
	}
	session, err := unix.Getsid(s.pid(t))
	require.NoError(t, err)
	require.Equal(t, s.pid(t), session)
	out, err := exec.Command("jobline", "run", "--daemon", "-o", "--", "sh", "-c", "kill -s HUP $$; echo ignored").CombinedOutput()
	require.NotContains(t, string(out), "ignored")
	require.Error(t, err)
}

// TestAServerIsFoundFromAnotherSession: a login and cron have other folders for
// sockets, and one store.
func TestAServerIsFoundFromAnotherSession(t *testing.T) {
	s := daemonHome(t)
	require.NoError(t, exec.Command("jobline", "list").Run())
	before := s.pid(t)
	other := socketDirOf(t)
	list := exec.Command("jobline", "list")
	list.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+other)
	out, err := list.CombinedOutput()
	require.NoError(t, err, string(out))
	shutdown := exec.Command("jobline", "shutdown")
	shutdown.Env = list.Env
	out, err = shutdown.CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), fmt.Sprintf("(process %d) has ended", before))
	list = exec.Command("jobline", "list")
	list.Env = shutdown.Env
	out, err = list.CombinedOutput()
	require.NoError(t, err, string(out))
	require.FileExists(t, filepath.Join(other, "jobline", "default.sock"), "the next is where the command looks first")
}

// socketDirOf is a folder for sockets, whose path is short.
func socketDirOf(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "jl")
	require.NoError(t, err)
	t.Cleanup(func() { // a process that is about to end may still write there
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, clientPatience, 10*time.Millisecond)
	})
	return dir
}

// TestAServerRemovesEnvironmentsThatNobodyUses at its start.
func TestAServerRemovesEnvironmentsThatNobodyUses(t *testing.T) {
	s := daemonHome(t)
	folder := filepath.Join(filepath.Dir(s.State), "env")
	require.NoError(t, os.MkdirAll(folder, 0o700))
	unused, used := filepath.Join(folder, "unused.json"), filepath.Join(folder, "used.json")
	for path, age := range map[string]time.Duration{unused: envKept + day, used: envKept - day} {
		require.NoError(t, os.WriteFile(path, []byte("{}"), 0o600))
		require.NoError(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
	}
	require.NoError(t, exec.Command("jobline", "list").Run())
	require.NoFileExists(t, unused)
	require.FileExists(t, used)
}

// TestAServerWithTooManyConnections says so to a command, and not that it has ended.
func TestAServerWithTooManyConnections(t *testing.T) {
	s := daemonHome(t)
	t.Setenv("JOBLINE_MAX_CONNECTIONS", "2")
	attached := []*program{start(t, "attach"), start(t, "attach")}
	for _, p := range attached {
		fmt.Fprintln(p.in, `{"jsonrpc":"2.0","id":1,"method":"initialize"}`)
		p.until(t, `"id":1`)
	}
	out, err := exec.Command("jobline", "list").CombinedOutput()
	require.Error(t, err)
	const full = "the limit of 2 open connections is reached (--max-connections); close others, or try again later (1004)\n"
	require.Equal(t, "jobline: the server on "+s.Socket+": "+full, string(out))
	third := start(t, "attach")
	rest, code := third.exit(t)
	require.Equal(t, 1, code)
	require.Contains(t, rest, `"kind":"queueFull"`)
	require.Equal(t, "jobline: attach: the server on "+s.Socket+": "+full, third.stderr.String())
	out, err = exec.Command("jobline", "doctor").CombinedOutput()
	require.Error(t, err)
	require.NotContains(t, string(out), "end that process")
	for _, p := range attached {
		require.NoError(t, p.in.Close())
		_, code = p.exit(t)
		require.Zero(t, code)
	}
	require.Eventually(t, func() bool { return exec.Command("jobline", "list").Run() == nil }, soon, 10*time.Millisecond)
}

// TestASignalEndsAServerOnASocket: the socket is gone, and its clients are told.
func TestASignalEndsAServerOnASocket(t *testing.T) {
	s := daemonHome(t)
	require.NoError(t, s.makeState())
	server := start(t, "serve", "--listen", "unix:"+s.Socket, "--store", s.Store, "--log-file", s.Log)
	require.Eventually(t, func() bool { _, err := os.Lstat(s.Socket); return err == nil }, soon, time.Millisecond)
	client := start(t, "attach", "--no-start")
	fmt.Fprintln(client.in, submitSleep)
	client.until(t, "task/started")
	require.NoError(t, server.Process.Signal(syscall.SIGTERM))
	rest, code := client.exit(t)
	require.Contains(t, rest, `"method":"task/finished"`)
	require.Contains(t, rest, `"kind":"interrupted"`)
	require.Equal(t, 1, code)
	require.Contains(t, client.stderr.String(), ` has ended: "ended by a signal" signal=terminated`)
	_, code = server.exit(t)
	require.Equal(t, 143, code)
	require.NoFileExists(t, s.Socket)
}

// TestAServerOfAnotherUser is not used, and does not serve.
func TestAServerOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("there is no setpriv: ", err)
	}
	s := daemonHome(t)
	require.NoError(t, exec.Command("jobline", "list").Run())
	dir := filepath.Dir(filepath.Dir(s.Socket))
	for _, path := range []string{dir, filepath.Dir(s.Socket)} {
		require.NoError(t, os.Chmod(path, 0o755)) // nothing but the user keeps the other out
	}
	require.NoError(t, os.Chmod(s.Socket, 0o777))
	original, err := exec.LookPath("jobline")
	require.NoError(t, err)
	binary, err := os.ReadFile(original)
	require.NoError(t, err)
	program := filepath.Join(dir, "program")
	require.NoError(t, os.Mkdir(program, 0o755))
	program = filepath.Join(program, "jobline")
	require.NoError(t, os.WriteFile(program, binary, 0o755))
	for _, args := range [][]string{{"attach"}, {"list"}, {"shutdown"}} {
		c := exec.Command(setpriv, append([]string{"--reuid=65534", "--regid=65534", "--clear-groups", program, args[0], "--socket", s.Socket}, args[1:]...)...)
		c.Env = append(os.Environ(), "HOME="+dir)
		out, err := c.CombinedOutput()
		var failed *exec.ExitError
		require.True(t, errors.As(err, &failed) && failed.ExitCode() == 1, "%v: %s", err, out)
		require.Equal(t, "jobline: the other end of the socket belongs to root, and this program runs as user 65534; each user has a server of their own\n", string(out))
	}
	for _, path := range []string{dir, filepath.Dir(s.Socket)} {
		require.NoError(t, os.Chmod(path, 0o700))
	}
}

// TestAServerSaysThatItsStoreIsHeld in the words by which a command knows it.
func TestAServerSaysThatItsStoreIsHeld(t *testing.T) {
	s := daemonHome(t)
	require.NoError(t, s.makeState())
	holder := start(t, "serve", "--store", s.Store)
	fmt.Fprintln(holder.in, `{"jsonrpc":"2.0","id":1,"method":"stats"}`)
	holder.until(t, `"id":1`)
	said, err := exec.Command("jobline", "serve", "--store", s.Store).CombinedOutput()
	require.Error(t, err)
	require.True(t, saysHeld(errors.New(string(said))), string(said))
	require.NoError(t, holder.in.Close())
	_, code := holder.exit(t)
	require.Zero(t, code)
}
