package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// canary is a value that is hidden. Each run of the tests has its own: the tests look
// for it in all processes of the machine, where the tests may run more than once.
var canary = "canary-" + uuid.NewString()

// hiding submits an exec whose env has the canary, under a name that is hidden and,
// where it must be found, under one that is not.
func hiding(id uuid.UUID, argv string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":"%[1]s","method":"submit","params":{"id":"%[1]s","type":"exec","rerun":true,`+
		`"events":["started","output","finished"],"input":{"argv":%s,"env":{"Api_Token":"%s","PLAIN":"seen"}}}}`, id, argv, canary)
}

// TestHiddenValuesAreNowhere looks for a hidden value everywhere but in the process
// that was given it: in the files of the store, also after a kill, in all answers
// and events, in the log, and in the processes of server, guard and other commands.
func TestHiddenValuesAreNowhere(t *testing.T) {
	dir := t.TempDir()
	store := filepath.Join(dir, "tasks.db")
	needy, other, queued := uuid.New(), uuid.New(), uuid.New()
	p := start(t, "serve", "--limit=2", "--store", store, "--log-level=debug")
	var answers strings.Builder
	request := func(line, until string) {
		t.Helper()
		fmt.Fprintln(p.in, line)
		answers.WriteString(p.until(t, until))
	}
	request(hiding(needy, `["sh","-c","test \"$Api_Token\" = `+canary[:7]+`\"${Api_Token#canary-}\" && [ ${#Api_Token} = `+strconv.Itoa(len(canary))+` ] && echo given; exec sleep 86400"]`), "given")
	request(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"submit","params":{"id":"%s","type":"exec","input":{"argv":["sleep","86400"]}}}`, other), "task/started")
	request(hiding(queued, `["true"]`), `"queued"`)
	for _, id := range []uuid.UUID{needy, queued} {
		request(fmt.Sprintf(`{"jsonrpc":"2.0","id":"s%[1]s","method":"status","params":{"id":"%[1]s","includeInput":true}}`, id), `"id":"s`+id.String())
		require.Contains(t, answers.String(), `"env":{"Api_Token":"•••","PLAIN":"seen"}`)
	}
	request(`{"jsonrpc":"2.0","id":"l","method":"list"}`, `"id":"l"`)

	var holders []string
	require.Eventually(t, func() bool { // in the middle of its exec the command shows no environment
		holders = withText(t, canary)
		return len(holders) == 1 && strings.HasPrefix(holders[0], "sleep ")
	}, soon, time.Millisecond, "the command alone has the value: %q", &holders)
	require.NoError(t, p.Process.Kill())
	_ = p.Wait() // its error is the signal
	require.NotContains(t, answers.String(), canary)
	require.NotContains(t, p.stderr.String(), canary)
	notInFiles(t, dir)

	p = start(t, "serve", "--limit=2", "--store", store, "--log-level=debug")
	fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"ends","method":"wait","params":{"ids":["%s","%s","%s"]}}`+"\n", needy, queued, other)
	for i, task := range waited(t, p, "ends") {
		require.Equal(t, schema.Failed, task.State)
		require.Equal(t, schema.KindInterrupted, task.Error.Kind)
		if i < 2 {
			require.Contains(t, task.Error.Message, "Api_Token; set them, and submit the task again")
		}
	}
	require.NoError(t, p.in.Close())
	_, code := p.exit(t)
	require.Zero(t, code)
	require.NotContains(t, p.stderr.String(), canary)
	notInFiles(t, dir)
	export, err := exec.Command("jobline", "store", "export", store).Output()
	require.NoError(t, err)
	require.Contains(t, string(export), "•••")
	require.NotContains(t, string(export), canary)
}

// TestEnvHideSaysWhatIsHidden: the flag replaces the names, and may name none.
func TestEnvHideSaysWhatIsHidden(t *testing.T) {
	for flag, want := range map[string]string{
		"":          `"env":{"Api_Token":"•••","PLAIN":"seen"}`,
		"pla*,x":    `"env":{"Api_Token":"` + canary + `","PLAIN":"•••"}`,
		"none":      `"env":{"Api_Token":"` + canary + `","PLAIN":"seen"}`,
		"the unset": `"env":{"Api_Token":"` + canary + `","PLAIN":"seen"}`,
	} {
		args := []string{"serve", "--limit=1"}
		switch flag {
		case "":
		case "the unset":
			args = append(args, "--env-hide=")
		default:
			args = append(args, "--env-hide", flag)
		}
		p := start(t, args...)
		id := uuid.New()
		fmt.Fprintln(p.in, hiding(id, `["sh","-c","echo $Api_Token $PLAIN"]`))
		require.Contains(t, p.until(t, "task/finished"), canary+" seen")
		fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":"s","method":"status","params":{"id":"%s","includeInput":true}}`+"\n", id)
		require.Contains(t, p.until(t, `"id":"s"`), want)
		require.NoError(t, p.in.Close())
		p.exit(t)
	}
}

// notInFiles looks for the canary in all files of a directory.
func notInFiles(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	masked := false
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		require.NotContains(t, string(text), canary, file.Name())
		masked = masked || strings.Contains(string(text), "•••")
	}
	require.True(t, masked, "the inputs are in these files")
}

// withText lists the processes that have a text in their environment or arguments,
// by their arguments. This process is none of them.
func withText(t *testing.T, text string) (found []string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	for _, process := range processes {
		environ, _ := os.ReadFile(process + "/environ") // an error: it has ended
		argv, _ := os.ReadFile(process + "/cmdline")
		if strings.Contains(string(environ)+string(argv), text) {
			found = append(found, strings.ReplaceAll(string(argv), "\x00", " "))
		}
	}
	return found
}
