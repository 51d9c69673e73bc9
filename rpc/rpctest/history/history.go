package history

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// History is what the clients of one server have sent and received.
type History struct {
	// Seed is the seed of the random choices of Run.
	Seed uint64
	// Limit is how many tasks the server runs at once.
	Limit int
	// Durable is true where the server may start the next task before it sends the
	// end of the one before: it writes the end to a disk meanwhile.
	Durable bool
	// Virtual is true where time stands still while any goroutine runs, as in a
	// bubble of testing/synctest: then no task stays queued while a slot is free.
	Virtual bool
	// Entries are the messages in one order: each was recorded before it was sent,
	// or after it was received.
	Entries []Entry
}

// Entry is one message of one connection, or the client's end of it.
type Entry struct {
	Client int
	Sent   bool // by the client, or else received by it
	Text   []byte
	End    End // then there is no Text
}

// End is how a client ends its connection without a message.
type End string

// The ends of a connection.
const (
	EndOfInput End = "end of input" // the client sends nothing more, and reads on
	Cut        End = "cut"          // the client is gone
)

// String is a line of a transcript: "0→ {…}" was sent by client 0, "0← {…}" received,
// and "0× cut" is an End.
func (e Entry) String() string {
	if e.End != "" {
		return fmt.Sprintf("%d× %s", e.Client, e.End)
	}
	arrow := "←"
	if e.Sent {
		arrow = "→"
	}
	return fmt.Sprintf("%d%s %s", e.Client, arrow, e.Text)
}

// Parse reads a transcript: a line for each message, as Entry.String writes
// it. Empty lines and those that begin with # are skipped.
func Parse(transcript string) ([]Entry, error) {
	var entries []Entry
	lines := bufio.NewScanner(strings.NewReader(transcript))
	lines.Buffer(nil, 1<<30)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		client, text, received := bytes.Cut(line, []byte("← "))
		if !received {
			client, text, _ = bytes.Cut(line, []byte("→ "))
		}
		left, end, ends := bytes.Cut(line, []byte("× "))
		if ends {
			client, text = left, end
		}
		number, err := strconv.Atoi(string(client))
		if err != nil || len(text) == 0 {
			return nil, fmt.Errorf("line %d: %q is no message: begin it with the number of the client and →, ← or ×", n, line)
		}
		if ends {
			entries = append(entries, Entry{Client: number, Sent: true, End: End(end)})
			continue
		}
		entries = append(entries, Entry{Client: number, Sent: !received, Text: bytes.Clone(text)})
	}
	return entries, lines.Err()
}
