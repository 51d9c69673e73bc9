//go:build linux || darwin || freebsd

package socket

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A connection that was busy, and is idle now, keeps a buffer to read into, and none of
// the megabytes of its replies.
func TestMemoryOfConnectionsThatWereBusy(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector takes memory of its own")
	}
	const connections, requests, most = 50, 2000, 256 << 10
	r := newRig(t, nil, Options{})
	r.dial().works(t)
	var burst bytes.Buffer
	for i := range requests {
		fmt.Fprintf(&burst, `{"jsonrpc":"2.0","id":%d,"method":"stats"}`+"\n", i)
	}
	var all []*caller
	for range connections {
		all = append(all, r.dial())
	}
	before := memoryInUse()
	for _, c := range all {
		go func() { _, _ = c.Write(burst.Bytes()) }() // that it fails, the missing replies show
		for range requests {
			_, err := c.lines.ReadSlice('\n')
			require.NoError(t, err)
		}
		c.lines = nil
	}
	var each int
	require.Eventually(t, func() bool { // it is given up after a second
		each = (memoryInUse() - before) / connections
		return each < most
	}, soon, 100*time.Millisecond)
	t.Logf("%d bytes each, of client and server together", each)
}
