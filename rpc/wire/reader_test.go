package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// chunks reads in pieces of random sizes.
type chunks struct {
	text []byte
	most int
	dice *rand.Rand
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+c.dice.IntN(c.most))], c.text)
	c.text = c.text[n:]
	return n, nil
}

// readAll is what a reader makes of a stream, to its end.
func readAll(t testing.TB, source io.Reader, framing Framing, limit int) []string {
	r := NewReader(source, framing, limit)
	var all []string
	for {
		m, err := r.Next()
		require.LessOrEqual(t, len(r.buf), 2*max(limit, maxHeader)+2*busyBuffer)
		_, bad := errors.AsType[*BadMessage](err)
		switch {
		case err == nil:
			all = append(all, string(m.Text))
		case bad:
			all = append(all, "bad: "+err.Error())
		default:
			return append(all, "end: "+err.Error())
		}
	}
}

// seeds are what clients send in the transcripts.
func seeds(t testing.TB) [][]byte {
	files, err := filepath.Glob("../testdata/*.txtar")
	require.NoError(t, err)
	var all [][]byte
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, section := range archive.Files {
			if section.Name == "client" {
				all = append(all, seedOf(string(section.Data)))
			}
		}
	}
	return all
}

func seedOf(client string) []byte {
	var seed []byte
	for line := range strings.Lines(client) {
		switch {
		case strings.HasPrefix(line, "# raw "):
			text, _ := strconv.Unquote(strings.TrimSpace(line[len("# raw "):]))
			seed = append(seed, text...)
		case !strings.HasPrefix(line, "#"):
			seed = append(seed, line...)
		}
	}
	return seed
}

func FuzzReader(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed, uint8(1), uint8(3), uint16(300))
		f.Add(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n%s", len(seed), seed), uint8(2), uint8(7), uint16(2000))
	}
	f.Fuzz(func(t *testing.T, text []byte, framing, most uint8, limit uint16) {
		fr, li := Framing(framing%3), int(limit)+1
		whole := readAll(t, bytes.NewReader(text), fr, li)
		pieces := &chunks{text: text, most: int(most) + 1, dice: rand.New(rand.NewPCG(1, uint64(limit)))}
		require.Equal(t, whole, readAll(t, pieces, fr, li))
		require.Equal(t, whole, readAll(t, iotest.DataErrReader(iotest.OneByteReader(bytes.NewReader(text))), fr, li))

		const good = `{"good":true}`
		lines := readAll(t, strings.NewReader(string(text)+"\n"+good+"\n"), FramingLine, max(li, len(good)))
		require.Equal(t, []string{good, "end: EOF"}, lines[len(lines)-2:])
	})
}

// What is no JSON is told with its place, and a name that comes twice with the name.
func TestReaderSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":{"b\u0063":1,"bc":2}}`: `bad: not JSON: at byte 18: duplicate object member name "bc"`,
		`{"` + strings.Repeat("x", 1e6) + `":1,"` + strings.Repeat("x", 1e6) + `":2}`: `bad: not JSON: at byte 1000006: duplicate object member name "` +
			strings.Repeat("x", 100) + `…"`,
		`{"a":01}`: `bad: not JSON: at byte 6: invalid character '1' after object value (expecting ',' or '}')`,
	} {
		require.Equal(t, []string{want, "end: EOF"}, readAll(t, strings.NewReader(text), FramingLine, DefaultMaxMessage))
	}
}

// A read error is passed on, after what came before it.
func TestReaderError(t *testing.T) {
	broken := io.MultiReader(strings.NewReader(`{"a":1}{"b":`), iotest.ErrReader(os.ErrDeadlineExceeded))
	require.Equal(t, []string{`{"a":1}`, "end: " + os.ErrDeadlineExceeded.Error()}, readAll(t, broken, FramingAuto, 100))
}

func TestReaderLimits(t *testing.T) {
	const limit = 40
	exact := `{"a":"` + strings.Repeat("x", limit-8) + `"}`
	over := `{"a":"` + strings.Repeat("x", limit-7) + `"}`
	frame := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	tooLong := "bad: the message is longer than 40 bytes; send large data by file, or raise --max-message"
	const first = "Content-Type: x\r\n"
	header := first + strings.Repeat("X: y\r\n", (maxHeader-len(first)-len("Content-Length: 2\r\n\r\n"))/6)
	fill := strings.Repeat("z", maxHeader-len("Content-Length: 2\r\n\r\n")-len(header))
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"line at the limit":         {exact + "\n" + exact + "\r\n" + exact, []string{exact, exact, exact, "end: EOF"}},
		"line past the limit":       {over + "\n" + exact, []string{tooLong, exact, "end: EOF"}},
		"cut line past the limit":   {over, []string{tooLong, "end: EOF"}},
		"many messages on one line": {strings.Repeat(exact, 3) + "\n", []string{exact, exact, exact, "end: EOF"}},
		"frame at the limit":        {frame(exact), []string{exact, "end: EOF"}},
		"frame past the limit":      {frame(over) + frame(exact), []string{tooLong, exact, "end: EOF"}},
		"header at the limit":       {strings.Replace(header, ": y", ": y"+fill, 1) + "Content-Length: 2\r\n\r\n{}", []string{"{}", "end: EOF"}},
		"header past the limit": {strings.Replace(header, ": y", ": yy"+fill, 1) + "Content-Length: 2\r\n\r\n{}",
			[]string{"end: the header is longer than 8192 bytes"}},
		"endless header line":   {"Content-A:" + strings.Repeat("x", 10_000), []string{"end: the header is longer than 8192 bytes"}},
		"endless name":          {strings.Repeat("x", 10_000), []string{tooLong, "end: EOF"}},
		"header without number": {"Content-Length: many\r\n\r\n", []string{`end: the Content-Length "many" is not a number of bytes`}},
		"header below zero":     {"Content-Length: -1\r\n\r\n", []string{`end: the Content-Length "-1" is not a number of bytes`}},
		"header with a sign":    {"Content-Length: +2\r\n\r\n{}", []string{`end: the Content-Length "+2" is not a number of bytes`}},
		"header beyond int64":   {"Content-Length: 9223372036854775808\r\n\r\n", []string{`end: the Content-Length "9223372036854775808" is not a number of bytes`}},
		"header with two lengths": {"Content-Length: 2\r\ncontent-length: 3\r\n\r\n{}",
			[]string{"end: the header has two Content-Lengths, 2 and 3"}},
		"header with the length twice": {"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", []string{"{}", "end: EOF"}},
		"header without length":        {"Content-Type: x\r\n\r\n{}", []string{"end: the header has no Content-Length"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, readAll(t, strings.NewReader(c.text), FramingAuto, limit))
			require.Equal(t, c.want, readAll(t, iotest.OneByteReader(strings.NewReader(c.text)), FramingAuto, limit))
		})
	}
}
