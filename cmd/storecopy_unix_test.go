//go:build unix

package cmd

import (
	"os"
	"regexp"
	"strings"
	"testing"

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
