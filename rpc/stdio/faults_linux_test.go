package stdio

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// peak is the most memory that a process has had, in bytes.
func peak(t *testing.T, pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		var kB int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kB); n == 1 {
			return kB << 10
		}
	}
	require.Fail(t, "no VmHWM")
	return 0
}

// What is far too much costs little, and the request after it is answered.
func TestFarTooMuch(t *testing.T) {
	const request = `{"jsonrpc":"2.0","id":"next","method":"types"}`
	const frame = "Content-Length: 46\r\n\r\n" + request
	const most = 80 << 20 // the limit of a message and 64 MiB
	for name, c := range map[string]struct {
		head, fill string
		size       int64 // of what is sent of the fill
		tail       string
		code       int
	}{
		"a long line":        {`{"jsonrpc":"2.0","id":1,"method":"`, "x", 100 << 20, "\"}\n" + request + "\n", int(schema.CodeTooLarge)},
		"a line without end": {`[`, "x", 100 << 20, "\n" + request + "\n", int(schema.CodeTooLarge)},
		"a long frame":       {fmt.Sprintf("Content-Length: %d\r\n\r\n", int64(4<<30)), "x", 4 << 30, frame, int(schema.CodeTooLarge)},
		"deep nesting":       {"", "[", 1_000_000, "\n" + request + "\n", int(schema.CodeParse)},
		"a large batch":      {`[1`, ",1", 15 << 20, "]\n" + request + "\n", int(schema.CodeTooLarge)},
		"deep objects":       {"", `{"a":`, 5_000_000, "\n" + request + "\n", int(schema.CodeParse)},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && c.size > 1<<30 {
				t.Skip("gigabytes take seconds")
			}
			p := start(t, "main")
			go func() {
				p.send(c.head)
				piece := strings.Repeat(c.fill, 1<<20/len(c.fill))
				for left := c.size; left > 0; left -= int64(len(piece)) {
					p.send(piece[:min(left, int64(len(piece)))])
				}
				p.send(c.tail)
			}()
			m, err := p.next()
			require.NoError(t, err)
			require.NotNil(t, m.Error)
			require.Equal(t, c.code, m.Error.Code)
			m, err = p.next()
			require.NoError(t, err)
			require.Equal(t, `"next"`, string(m.ID))
			require.Nil(t, m.Error)
			require.Less(t, peak(t, p.cmd.Process.Pid), int64(most*memoryFactor))
		})
	}
}

// A file whose disk is full is no reader that is gone.
func TestStdoutIsFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	var stderr bytes.Buffer
	p := start(t, "log", func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = full, &stderr })
	p.submit("noop", "")
	require.Equal(t, ExitFault, p.exit())
	require.Regexp(t, "the replies cannot be written: .*no space left on device", stderr.String())
	require.NotContains(t, stderr.String(), "is gone")
}

// A header without end is the end, since nobody knows where the next begins.
func TestEndlessHeader(t *testing.T) {
	p := start(t, "main")
	p.send("Content-Type: x\r\n" + strings.Repeat("X: y\r\n", 10_000))
	m, err := p.next()
	require.NoError(t, err)
	require.Equal(t, int(schema.CodeParse), m.Error.Code)
	_, code := p.end()
	require.Equal(t, ExitFault, code)
}
