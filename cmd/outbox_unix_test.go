//go:build unix

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/executor/store/nats/natstest"
)

// laptop is a server with an outbox, as a process that can be killed.
type laptop struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startLaptop(t *testing.T, address, outbox string) *laptop {
	t.Helper()
	l := &laptop{Cmd: exec.CommandContext(t.Context(), "jobline", "serve", "--limit=0", "--log-level=error", "--store", address, "--store-role=driver", "--outbox", outbox)}
	var err error
	l.in, err = l.StdinPipe()
	require.NoError(t, err)
	out, err := l.StdoutPipe()
	require.NoError(t, err)
	l.out = bufio.NewReader(out)
	require.NoError(t, l.Start())
	return l
}

// submits asks for tasks, and reads at most so many replies. It answers how many came.
func (l *laptop) submits(t *testing.T, ids []uuid.UUID, replies int) int {
	t.Helper()
	var text strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&text, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"noop","id":%q,"events":[]}}`+"\n", id)
	}
	go func() { _, _ = io.WriteString(l.in, text.String()) }() // one that was killed reads nothing
	for n := range min(replies, len(ids)) {
		line, err := l.out.ReadString('\n')
		if err != nil {
			return n
		}
		require.Contains(t, line, `"result":{"id":"`+ids[n].String())
	}
	return min(replies, len(ids))
}

// waiting is how many submits wait in the outbox.
func (l *laptop) waiting(t *testing.T) int {
	t.Helper()
	_, err := fmt.Fprintln(l.in, `{"jsonrpc":"2.0","id":2,"method":"stats"}`)
	require.NoError(t, err)
	line, err := l.out.ReadString('\n')
	require.NoError(t, err)
	var answer struct {
		Result struct {
			Store struct {
				Outbox struct{ Waiting, Refused int }
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(line), &answer))
	require.Zero(t, answer.Result.Store.Outbox.Refused)
	return answer.Result.Store.Outbox.Waiting
}

func (l *laptop) kill() {
	_ = l.Process.Kill() // it may have ended
	_ = l.Wait()
}

// cutNamespace makes a namespace that cannot be reached through a network before that is mended.
func cutNamespace(t *testing.T, name string) (nats.Address, *natstest.Proxy) {
	t.Helper()
	all, err := natstest.Start(t.TempDir(), 1)
	require.NoError(t, err)
	t.Cleanup(all.Stop)
	at := nats.Address{Servers: all.URLs(), Namespace: name}
	_, err = nats.Init(t.Context(), at, nats.Credentials{}, nats.Namespace{})
	require.NoError(t, err)
	proxy := natstest.NewProxy(t, all.URLs()[0])
	proxy.Cut()
	return at, proxy
}

// A server is killed, and its connection cut and mended, at random moments. A client submits again what was not
// answered. In the end each task is in the queue once, and in order.
func TestKilledServersWithAnOutbox(t *testing.T) {
	t.Parallel()
	at, proxy := cutNamespace(t, "jobs")
	address, outbox := proxy.URL()+"/jobs", filepath.Join(t.TempDir(), "outbox.db")
	var want, open []uuid.UUID // in order, and those of them that were not answered
	for range 8 {
		for range 1 + rand.IntN(60) {
			id := uuid.New()
			want, open = append(want, id), append(open, id)
		}
		l := startLaptop(t, address, outbox)
		pause := time.Duration(rand.IntN(60)) * time.Millisecond
		mend := time.AfterFunc(pause, proxy.Mend)
		open = open[l.submits(t, open, rand.IntN(len(open)+1)):]
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		l.kill()
		mend.Stop()
		if rand.IntN(2) == 0 {
			proxy.Cut()
		}
	}
	proxy.Mend()
	l := startLaptop(t, address, outbox)
	defer l.kill()
	require.Equal(t, len(open), l.submits(t, open, len(open)))
	for end := time.Now().Add(30 * time.Second); l.waiting(t) > 0; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "all is sent")
	}

	queue, err := nats.Open(t.Context(), nats.Options{Address: at, Role: nats.RoleViewer})
	require.NoError(t, err)
	defer func() { require.NoError(t, queue.Close()) }()
	page, err := queue.List(t.Context(), executor.Filter{}, executor.PageRequest{Oldest: true, Limit: 1000})
	require.NoError(t, err)
	var got []uuid.UUID
	for i := range page.Tasks {
		got = append(got, page.Tasks[i].ID)
	}
	require.Equal(t, want, got)
}

// The commands of docs/machines.md for a laptop work while it is offline, and what they submit is sent later.
func TestOfflineCommandsOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/machines.md")
	require.NoError(t, err)
	found := regexp.MustCompile("<!-- example: offline -->\n```sh\n((?s:.*?))```").FindSubmatch(page)
	require.NotNil(t, found)
	_, proxy := cutNamespace(t, "builds")
	script := strings.ReplaceAll(string(found[1]), "nats://n1,n2,n3/builds", proxy.URL()+"/builds")
	require.Contains(t, script, proxy.URL())
	home, err := os.MkdirTemp("", "laptop") // the path of a socket is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	run := func(script string) string {
		c := exec.CommandContext(t.Context(), "sh", "-ec", script)
		c.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_STATE_HOME=", "TMPDIR="+home)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	said := run(script)
	require.Regexp(t, `waits in the outbox .*/\.local/state/jobline/outbox\.db`, said)
	require.Regexp(t, `(?m) exec .* waits$`, said)
	require.Contains(t, said, "1 wait and 0 were refused")
	require.Contains(t, said, "0 submits sent again")
	exports, _, _ := strings.Cut(script, "\n")
	proxy.Mend()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(run(exports+"\njobline stats"), "0 wait and 0 were"); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "it is sent")
	}
	require.Contains(t, run(exports+"\njobline list --state queued --json; jobline shutdown"), `"build":"7"`)
}
