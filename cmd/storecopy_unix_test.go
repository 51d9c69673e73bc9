//go:build unix

package cmd

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/nats/natstest"
)

// TestMovingAsThePageSays runs the commands of docs/machines.md with one server in place of three.
func TestMovingAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("../docs/machines.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Moving\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	commands := regexp.MustCompile(`(?m)^jobline store .*$`).FindAllString(section, -1)
	require.Len(t, commands, 5)
	all, err := natstest.Start(t.TempDir(), 1)
	require.NoError(t, err)
	defer all.Stop()
	p, dir := serving(t)
	require.NoError(t, p.Process.Kill())
	p.exit(t)
	for _, command := range commands {
		command = strings.NewReplacer("nats://n1,n2,n3", all.URLs()[0], " --replicas 3", "").Replace(command)
		out, complaints, code := storeRun(t, dir, "sh", "-c", command)
		require.Zero(t, code, complaints)
		if strings.Contains(command, "store copy") {
			require.Equal(t, "copied 3 tasks, 2 of them open, with 0 bytes of output; 0 groups, 0 schedules and 0 ids of earlier tasks\n", out)
		}
	}
	out, _, _ := storeRun(t, dir, "jobline", "store", "export", "back.db")
	for i, state := range []string{"completed", "queued", "queued"} { // what ran runs again
		require.Contains(t, strings.Split(out, "\n")[i], `"state":"`+state+`"`)
	}
}

// A copy has its file from the beginning, before it has read anything: a server there is refused, and names the copy.
// One that was killed has left no store, and is made again.
func TestNoServerComesBetweenACopyAndItsFile(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // a namespace that does not answer
	require.NoError(t, err)
	defer silent.Close()
	p, dir := serving(t)
	require.NoError(t, p.Process.Kill())
	p.exit(t)
	to := filepath.Join(dir, "to.db")
	c := exec.CommandContext(t.Context(), "jobline", "store", "copy", "nats://"+silent.Addr().String()+"/jobs", to)
	require.NoError(t, c.Start())
	for end := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		if _, err := os.Lstat(to + ".part"); err == nil {
			break
		}
		require.True(t, time.Now().Before(end), "the copy has begun its file")
	}
	require.NoError(t, c.Process.Signal(syscall.SIGSTOP))
	_, complaints, code := storeRun(t, dir, "jobline", "serve", "--store", "to.db")
	require.Equal(t, 1, code)
	require.Regexp(t, `^jobline: serve: --store: the store .*to\.db is held by process \d+ \(jobline\), which copies a store into it; end that one, or name another file\n$`, complaints)
	require.NoError(t, c.Process.Kill())
	_ = c.Wait()

	_, complaints, code = storeRun(t, dir, "jobline", "serve", "--store", "to.db")
	require.Equal(t, 1, code)
	require.Contains(t, complaints, "the beginning of a copy that has not ended; make the copy again, or remove that file")
	out, complaints, code := storeRun(t, dir, "jobline", "store", "copy", "tasks.db", "to.db")
	require.Zero(t, code, complaints)
	require.Contains(t, out, "copied 3 tasks")
	left, err := filepath.Glob(to + "*")
	require.NoError(t, err)
	require.Equal(t, []string{to}, left)
}
