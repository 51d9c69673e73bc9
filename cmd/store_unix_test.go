//go:build unix

package cmd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// storeRun runs a command line in a directory and answers what it prints.
func storeRun(t *testing.T, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	var out, complaints bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &complaints
	_ = cmd.Run() // its error is the exit code
	require.NotNil(t, cmd.ProcessState, "%q does not start", args)
	return out.String(), complaints.String(), cmd.ProcessState.ExitCode()
}

// serving is a server with a store in which one task is over, one runs and one
// waits.
func serving(t *testing.T) (*program, string) {
	t.Helper()
	dir := t.TempDir()
	p := start(t, "serve", "--limit", "1", "--store", filepath.Join(dir, "tasks.db"))
	for i, params := range []string{`"type":"noop"`, `"type":"sleep","input":{"durationMs":86400000}`, `"type":"noop"`} {
		fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":%d,"method":"submit","params":{%s}}`+"\n", i+1, params)
		p.until(t, fmt.Sprintf(`"id":%d,"result"`, i+1))
		if i == 0 {
			p.until(t, "task/finished")
		}
	}
	for { // its start is recorded before it is told of, and in its own time
		info, _, _ := storeRun(t, dir, "jobline", "store", "info", "tasks.db")
		if regexp.MustCompile(`(?m)^running +1$`).MatchString(info) {
			return p, dir
		}
	}
}

// files are the names and contents of what is in a directory, but for the
// shared memory of those who read.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		if found[e.Name()] = string(b); strings.HasSuffix(e.Name(), "-shm") {
			found[e.Name()] = "shared"
		}
	}
	return found
}

// storeTasks runs every command of store on the tasks of serving.
func storeTasks(t *testing.T, dir string) {
	t.Helper()
	out, complaints, code := storeRun(t, dir, "jobline", "store", "check", "tasks.db")
	require.Equal(t, "tasks.db is sound\n", out)
	require.Empty(t, complaints)
	require.Zero(t, code)
	out, _, code = storeRun(t, dir, "jobline", "store", "export", "tasks.db")
	require.Zero(t, code)
	for i, state := range []string{"completed", "running", "queued"} {
		require.Contains(t, strings.Split(out, "\n")[i], `"state":"`+state+`"`)
	}
	dest := filepath.Join(t.TempDir(), "backup.db")
	_, complaints, code = storeRun(t, dir, "jobline", "store", "backup", "tasks.db", dest)
	require.Empty(t, complaints)
	require.Zero(t, code)
	exported, _, _ := storeRun(t, dir, "jobline", "store", "export", dest)
	require.Equal(t, out, exported)
}

func TestStoreWhileAServerRunsAndAfterItWasKilled(t *testing.T) {
	p, dir := serving(t)
	before := files(t, dir)
	info, _, _ := storeRun(t, dir, "jobline", "store", "info", "tasks.db")
	require.Regexp(t, fmt.Sprintf(`(?m)^held by +process %d \(.+\)$`, p.Process.Pid), info)
	storeTasks(t, dir)
	require.Equal(t, before, files(t, dir), "a server has it")

	require.NoError(t, p.Process.Kill())
	p.exit(t)
	before = files(t, dir)
	require.NotEmpty(t, before["tasks.db-wal"])
	info, _, _ = storeRun(t, dir, "jobline", "store", "info", "tasks.db")
	require.Regexp(t, `(?m)^held by +nobody$`, info)
	storeTasks(t, dir)
	require.Equal(t, before, files(t, dir), "nobody has it")
}

// TestTheSQLiteShell runs what docs/durability.md says of sqlite3.
func TestTheSQLiteShell(t *testing.T) {
	document, err := os.ReadFile("../docs/durability.md")
	require.NoError(t, err)
	commands := regexp.MustCompile(`(?m)^sqlite3 .*$`).FindAllString(string(document), -1)
	require.NotEmpty(t, commands)
	if _, err := exec.LookPath("sqlite3"); err != nil {
		t.Skip("sqlite3 is not installed: ", err)
	}
	p, dir := serving(t)
	run := func(when string) {
		before := files(t, dir)
		for _, command := range commands {
			out, complaints, code := storeRun(t, dir, "sh", "-c", command)
			require.Zero(t, code, complaints)
			require.Contains(t, out, "completed", when)
		}
		require.Equal(t, before, files(t, dir), when)
	}
	run("beside a server")
	require.NoError(t, p.Process.Kill())
	p.exit(t)
	run("after a kill")
}

func TestStoreCheckNamesWhatIsDamaged(t *testing.T) {
	p, dir := serving(t)
	require.NoError(t, p.Process.Kill())
	p.exit(t)
	out, _, _ := storeRun(t, dir, "jobline", "store", "export", "tasks.db", "--states", "running")
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(out)
	wal := filepath.Join(dir, "tasks.db-wal")
	p = start(t, "serve", "--on-eof", "cancel", "--store", filepath.Join(dir, "tasks.db")) // it takes the log into the file
	require.NoError(t, p.in.Close())
	p.exit(t)
	require.NoFileExists(t, wal)

	path := filepath.Join(dir, "tasks.db")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	bad := bytes.Replace(text, []byte("86400000"), []byte("86400001"), 1)
	require.NotEqual(t, text, bad)
	require.NoError(t, os.WriteFile(path, bad, 0o600))
	out, complaints, code := storeRun(t, dir, "jobline", "store", "check", "tasks.db")
	require.Equal(t, 1, code)
	require.Equal(t, fmt.Sprintf("task %s (number 2): the checksum of its row in the table task is wrong\n", id), out)
	require.Contains(t, complaints, "tasks.db is damaged: 1 finding; put a backup in its place")
	out, _, code = storeRun(t, dir, "jobline", "store", "check", "--json", "tasks.db")
	require.Equal(t, 1, code)
	require.Equal(t, fmt.Sprintf(`{"number":2,"id":"%s","text":"the checksum of its row in the table task is wrong"}`+"\n", id), out)
	out, complaints, code = storeRun(t, dir, "jobline", "store", "export", "tasks.db")
	require.Equal(t, 1, code)
	require.Equal(t, 2, strings.Count(out, "\n"))
	require.Contains(t, complaints, id)
	require.Contains(t, complaints, "left out: 1 damaged task\n")
	_, complaints, code = storeRun(t, dir, "jobline", "store", "backup", "tasks.db", "backup.db")
	require.Equal(t, 1, code)
	require.Contains(t, complaints, "backup.db is as damaged as tasks.db is: 1 finding\n")
}

// TestACutStoreIsSaidToBeDamaged has a file that SQLite does not open.
func TestACutStoreIsSaidToBeDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tasks.db")
	_, _, code := serves(t, path, "")
	require.Zero(t, code)
	require.NoError(t, os.Truncate(path, 5000))
	const inside = "put a backup in its place, or see what can be read with jobline store check and jobline store export"
	for says, args := range map[string][]string{
		"serve: --store: the store " + path + " is damaged: sqlite3: database disk image is malformed; " + inside: {"serve", "--store", path},
		"store info: the store tasks.db is damaged: sqlite3: database disk image is malformed; " + inside:         {"store", "info", "tasks.db"},
		"store backup: the store tasks.db is damaged: sqlite3: database disk image is malformed; " + inside:       {"store", "backup", "tasks.db", "to.db"},
		"store export: the store tasks.db is damaged: sqlite3: database disk image is malformed; " +
			"put a backup in its place, or go on with what was printed until here": {"store", "export", "tasks.db"},
	} {
		_, complaints, code := storeRun(t, dir, append([]string{"jobline"}, args...)...)
		require.Equal(t, 1, code)
		require.Equal(t, "jobline: "+says+"\n", complaints)
	}
	out, complaints, code := storeRun(t, dir, "jobline", "store", "check", "--json", "tasks.db")
	require.Equal(t, 1, code)
	require.Equal(t, `{"text":"the file cannot be read: sqlite3: database disk image is malformed"}`+"\n", out)
	require.Contains(t, complaints, "tasks.db is damaged: 1 finding; put a backup in its place")
}
