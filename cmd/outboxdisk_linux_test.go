package cmd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// TestFullDiskUnderAnOutbox starts a server while the disk of its outbox is full: it serves, refuses what would
// wait there with the file and the cure, and takes it when there is room.
func TestFullDiskUnderAnOutbox(t *testing.T) {
	t.Parallel()
	_, proxy := cutNamespace(t, "jobs")
	dir := mount(t, 0, "size=512k")
	outbox, filler := filepath.Join(dir, "outbox.db"), filepath.Join(dir, "filler")
	fillDisk(t, filler)
	p := start(t, "serve", "--limit=0", "--log-level=error", "--store", proxy.URL()+"/jobs", "--store-role=driver", "--outbox", outbox)
	asks := func(id int, method, params string) string {
		fmt.Fprintf(p.in, `{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`+"\n", id, method, params)
		return p.until(t, fmt.Sprintf(`"id":%d,`, id))
	}
	task := uuid.New()
	submit := fmt.Sprintf(`{"type":"noop","id":%q,"events":[]}`, task)
	full := "no space on the device of " + outbox + ": make room there"
	refused := asks(1, "submit", submit)
	require.Contains(t, refused, `"storeUnavailable"`)
	require.Contains(t, refused, full)
	require.Contains(t, asks(2, "stats", "{}"), `"fault":"the outbox cannot be written: `+full)
	require.NoError(t, os.Remove(filler))
	require.Contains(t, asks(3, "submit", submit), `"kind":"outbox"`)
	require.NotContains(t, asks(4, "stats", "{}"), full)
	proxy.Mend()
	for n := 5; strings.Contains(asks(n, "stats", "{}"), `"waiting":1`); n++ {
	}
	require.NoError(t, p.in.Close())
	stderr, code := p.exit(t)
	require.Zero(t, code, stderr)
	require.Equal(t, 1, strings.Count(p.stderr.String(), "the outbox cannot be written; it is tried again"), p.stderr.String())
}
