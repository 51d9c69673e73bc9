package cmd

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFirstProcessReaps: neither a server nor run leaves a zombie of each task
// where it is the first process of a container.
func TestFirstProcessReaps(t *testing.T) {
	if _, err := exec.LookPath("unshare"); err != nil || os.Geteuid() != 0 {
		t.Skip("unshare and root are needed for a new PID namespace")
	}
	const (
		orphan = `for i in 1 2 3 4 5; do sh -c 'setsid sleep 0.01 >/dev/null 2>&1 &'; done; `
		count  = `zombies() { grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l; }; ` +
			`n=0; while sleep 0.05; [ $(zombies) -gt 0 ] && [ $n -lt 200 ]; do n=$((n+1)); done; echo $(zombies) zombies`
	)
	t.Run("run", func(t *testing.T) {
		cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
			"jobline", "run", "exec", "-o", "--", "sh", "-c", orphan+count)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "0 zombies\n")
	})
	t.Run("serve", func(t *testing.T) {
		script, err := json.Marshal(orphan + count)
		require.NoError(t, err)
		cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "jobline", "serve")
		cmd.Stdin = strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"exec","events":["output"],` +
			`"input":{"argv":["sh","-c",` + string(script) + `]}}}` + "\n")
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Contains(t, string(out), `0 zombies\n`)
	})
}
