package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// A transcript in testdata is a conversation. Its client section has what is
// sent, a message a line, and between them lines that begin with "#":
//
//	# wait 250ms      lets that much time pass
//	# together        sends the lines up to "# apart" in one write
//	# raw "text"      sends these bytes and no newline
//	# times 3 "text"  sends these bytes three times, and no newline
//	# eof             ends the client's sending
//
// The reply to a request that lets a task do something, such as cancel or input, has no order
// on the wire with what the task then does; here the reply comes first. Times are written <time>, the process id <pid>, and ids that the server has made <id1>, <id2>…,
// which the client section can use, too.

var update = flag.Bool("update", false, "write the server sections of testdata anew")

func transcripts(t testing.TB) []string {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func TestTranscripts(t *testing.T) {
	for _, file := range transcripts(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			client, server := section(archive, "client"), section(archive, "server")
			require.NotNil(t, client, "no client section")
			settings := readSettings(t, section(archive, "settings"))
			got := converse(t, settings, string(client.Data), settings.framing)
			if *update && server != nil {
				server.Data = []byte(got)
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
			require.NotNil(t, server, "no server section")
			require.Equal(t, string(server.Data), got)
			if settings.framing == wire.FramingAuto { // the same with headers
				require.Equal(t, string(server.Data), converse(t, settings, string(client.Data), wire.FramingHeader))
			}
		})
	}
}

func section(a *txtar.Archive, name string) *txtar.File {
	for i := range a.Files {
		if a.Files[i].Name == name {
			return &a.Files[i]
		}
	}
	return nil
}

// conversation is a run of a transcript.
type conversation struct {
	*testing.T
	conn     io.WriteCloser
	header   bool
	together []byte // what is held back for one write; nil where nothing is
	ids      []string
	idNames  map[string]string

	shown string // what was said until the step before
	acted []byte // the id of the request of this step that lets a task do something

	mu  sync.Mutex
	out bytes.Buffer
}

// converse runs a client section and answers what the server has said, with a
// last line that tells how the connection ended.
func converse(t *testing.T, set settings, client string, framing wire.Framing) (server string) {
	synctest.Test(t, func(t *testing.T) {
		ex := set.executor(t)
		ran := make(chan error, 1)
		go func() { ran <- ex.Run(context.Background()) }()
		near, far := rpctest.Pipe()
		served := make(chan error, 1)
		go func() { served <- rpc.Serve(context.Background(), far, ex, set.rpc) }()
		c := &conversation{T: t, conn: near, header: framing == wire.FramingHeader, idNames: map[string]string{}}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(c, near) // ends with the connection
		}()
		for line := range strings.Lines(client) {
			c.do(strings.TrimSuffix(line, "\n"))
		}
		c.end()
		err := <-served
		<-read
		ex.Begin(schema.ShutdownCancel)
		require.NoError(t, <-ran)
		c.settle()
		server = c.shown + "# the connection has ended: " + fmt.Sprint(err) + "\n"
	})
	return server
}

func (c *conversation) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(p)
}

// do is one line of a client section.
func (c *conversation) do(line string) {
	directive, ok := strings.CutPrefix(line, "# ")
	if !ok {
		c.send([]byte(line))
		return
	}
	verb, rest, _ := strings.Cut(directive, " ")
	switch verb {
	case "wait":
		d, err := time.ParseDuration(rest)
		require.NoError(c, err)
		time.Sleep(d)
		c.settle()
	case "together":
		c.together = []byte{}
	case "apart":
		text := c.together
		c.together = nil
		c.write(text)
	case "eof":
		c.end()
	case "raw":
		c.write(c.unquoted(rest))
	case "times":
		count, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		require.NoError(c, err)
		c.write(bytes.Repeat(c.unquoted(text), n))
	default:
		require.Fail(c, "no such directive", line)
	}
}

func (c *conversation) unquoted(text string) []byte {
	plain, err := strconv.Unquote(text)
	require.NoError(c, err, text)
	return []byte(plain)
}

var idName = regexp.MustCompile(`<id[0-9]+>`)

var actingID = regexp.MustCompile(`^\{"jsonrpc":"2.0","id":([0-9]+),"method":"(?:cancel|input|signal|resize|resume|setGroup)"`)

func (c *conversation) send(message []byte) {
	if id := actingID.FindSubmatch(message); id != nil {
		c.acted = id[1]
	}
	message = idName.ReplaceAllFunc(message, func(name []byte) []byte {
		n, _ := strconv.Atoi(string(name[3 : len(name)-1]))
		require.LessOrEqual(c, n, len(c.ids), "the server has not made %s yet", name)
		return []byte(c.ids[n-1])
	})
	if c.header {
		message = fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(message), message)
	} else {
		message = append(message, '\n')
	}
	c.write(message)
}

func (c *conversation) write(text []byte) {
	if c.together != nil {
		c.together = append(c.together, text...)
		return
	}
	_, err := c.conn.Write(text)
	if !errors.Is(err, io.ErrClosedPipe) { // the server may have ended: its last line says why
		require.NoError(c, err)
	}
	c.settle()
}

// settle ends a step when all that can happen has happened.
func (c *conversation) settle() {
	synctest.Wait()
	fresh := c.said()[len(c.shown):]
	if c.acted != nil {
		lines := slices.Collect(strings.Lines(fresh))
		reply := slices.IndexFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,`, c.acted))
		})
		require.GreaterOrEqual(c, reply, 0, "no reply")
		first := lines[reply]
		fresh = first + strings.Join(slices.Delete(lines, reply, reply+1), "")
		c.acted = nil
	}
	c.shown += fresh
}

// end ends the sending but not the reading.
func (c *conversation) end() {
	require.NoError(c, c.conn.(interface{ CloseWrite() error }).CloseWrite())
	c.settle()
}

var (
	wireTime = regexp.MustCompile(`"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}Z"`)
	wireID   = regexp.MustCompile(`"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"`)
)

// said is what the server has said until now, a message a line.
func (c *conversation) said() string {
	c.mu.Lock()
	text := c.out.String()
	c.mu.Unlock()
	if c.header {
		text = unframed(c.T, text)
	}
	text = wireTime.ReplaceAllString(text, `"<time>"`)
	text = strings.ReplaceAll(text, fmt.Sprintf(`"pid":%d`, os.Getpid()), `"pid":<pid>`)
	return wireID.ReplaceAllStringFunc(text, func(quoted string) string {
		id := strings.Trim(quoted, `"`)
		if c.idNames[id] == "" {
			c.ids = append(c.ids, id)
			c.idNames[id] = fmt.Sprintf("<id%d>", len(c.ids))
		}
		return `"` + c.idNames[id] + `"`
	})
}

var frameHead = regexp.MustCompile(`^Content-Length: ([0-9]+)\r\n\r\n`)

// unframed makes lines of frames, which have exactly one header.
func unframed(t testing.TB, text string) string {
	var lines strings.Builder
	for text != "" {
		head := frameHead.FindStringSubmatch(text)
		require.NotNil(t, head, "no frame begins: %.100q", text)
		n, err := strconv.Atoi(head[1])
		require.NoError(t, err)
		text = text[len(head[0]):]
		require.LessOrEqual(t, n, len(text))
		lines.WriteString(text[:n] + "\n")
		text = text[n:]
	}
	return lines.String()
}

// settings are what the settings section of a transcript says.
type settings struct {
	rpc       rpc.Options
	framing   wire.Framing
	maxQueued int
	keep      int // finished tasks
	limit     int
	resources map[string]int64
	labels    map[string]string
	allow     []string
	broken    []string // methods of the store that fail
	panicking bool     // the store's Get panics
}

func readSettings(t *testing.T, section *txtar.File) settings {
	set := settings{limit: 2, rpc: rpc.Options{OnEOF: rpc.EOFDrain}}
	if section == nil {
		return set
	}
	for line := range strings.Lines(string(section.Data)) {
		set.read(t, strings.Fields(line))
	}
	return set
}

func (set *settings) read(t *testing.T, words []string) {
	number := func() int {
		n, err := strconv.Atoi(words[1])
		require.NoError(t, err)
		return n
	}
	switch words[0] {
	case "framing":
		set.framing = map[string]wire.Framing{"line": wire.FramingLine, "header": wire.FramingHeader}[words[1]]
		if len(words) < 3 { // or "detected"
			set.rpc.Framing = set.framing
		}
	case "max-message":
		set.rpc.MaxMessage = number()
	case "max-batch":
		set.rpc.MaxBatch = number()
	case "max-waits":
		set.rpc.MaxWaits = number()
	case "max-queued":
		set.maxQueued = number()
	case "keep":
		set.keep = number()
	case "limit":
		set.limit = number()
	case "resource":
		n, err := strconv.ParseInt(words[2], 10, 64)
		require.NoError(t, err)
		set.resources = map[string]int64{words[1]: n}
	case "label":
		set.labels = map[string]string{words[1]: words[2]}
	case "on-eof":
		set.rpc.OnEOF = map[string]rpc.EOFPolicy{"detach": rpc.EOFDetach, "drain": rpc.EOFDrain, "cancel": rpc.EOFCancel}[words[1]]
	case "allow":
		set.allow = words[1:]
	case "broken":
		set.broken = words[1:]
	case "shared":
		set.rpc.Shared, set.rpc.OnEOF = true, rpc.EOFDetach
	case "panicking":
		set.panicking = true
	default:
		require.Fail(t, "no such setting", words)
	}
}

func (set *settings) executor(t testing.TB) *executor.Executor {
	ex, err := executor.New(set.store(), executor.Options{Types: testTypes(t), Limit: set.limit, Labels: set.labels, Allow: set.allow})
	require.NoError(t, err)
	return ex
}
