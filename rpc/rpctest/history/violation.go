package history

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Violation is a guarantee that is broken in a history.
type Violation struct {
	// Guarantee is the number of the guarantee in docs/protocol.md, section 4;
	// "answers" for a request that was not answered once, as its method says;
	// "ends" for a connection that did not end as its shutdown says;
	// "conditions" for a task that did not wait as its submit says, or was not cancelled with its parent;
	// "lists" for pages that lack a task or have one twice.
	Guarantee string
	Text      string
	// Excerpt has the messages of the task or request that broke the guarantee.
	Excerpt string
}

func (v Violation) String() string {
	return fmt.Sprintf("guarantee %s: %s\n%s", v.Guarantee, v.Text, v.Excerpt)
}

// Bounds of a report, so that it stays readable where a fault shows everywhere.
const (
	maxViolations = 20 // of one guarantee
	maxLines      = 24 // of an excerpt
	mostLine      = 400
	headLength    = 70 // of a line that is cut
)

// fail notes a violation by a task.
func (x *index) fail(guarantee string, t *task, format string, args ...any) {
	id := t.id.String()
	x.add(guarantee, fmt.Sprintf("task %s: ", id)+fmt.Sprintf(format, args...), id, func(e *Entry) bool {
		return bytes.Contains(e.Text, []byte(id))
	})
}

// failRequest notes a violation by the answer of a request.
func (x *index) failRequest(guarantee string, rq *request, format string, args ...any) {
	last := rq.at
	if rq.answer != nil {
		last = rq.answer.at
	}
	sent, got := &x.history.Entries[rq.at], &x.history.Entries[last]
	x.add(guarantee, fmt.Sprintf("client %d, request %s (%s): ", rq.client, cmp.Or(rq.id, "without id"), rq.method)+fmt.Sprintf(format, args...),
		rq.id, func(e *Entry) bool { return e == sent || e == got })
}

// failAt notes a violation by one message.
func (x *index) failAt(guarantee string, client, at int, format string, args ...any) {
	one := &x.history.Entries[at]
	x.add(guarantee, fmt.Sprintf("client %d: ", client)+fmt.Sprintf(format, args...), "", func(e *Entry) bool { return e == one })
}

// add notes a violation with messages as its excerpt. Long messages are cut, to begin
// a little before the focus.
func (x *index) add(guarantee, text, focus string, about func(*Entry) bool) {
	same := 0
	for i := range x.found {
		if x.found[i].Guarantee == guarantee {
			same++
		}
	}
	if same < maxViolations {
		x.found = append(x.found, Violation{guarantee, text, x.excerpt(focus, about)})
	}
}

// excerpt are messages of a history, without the middle ones where they are many.
func (x *index) excerpt(focus string, about func(*Entry) bool) string {
	var lines []string
	for i := range x.history.Entries {
		if e := &x.history.Entries[i]; about(e) {
			lines = append(lines, fmt.Sprintf("%6d  %s", i, shortened(e, focus)))
		}
	}
	if n := len(lines) - maxLines; n > 0 {
		lines = slices.Replace(lines, maxLines/2, maxLines/2+n, fmt.Sprintf("        … %d more", n))
	}
	return strings.Join(lines, "\n")
}

// shortened is an entry, or the part of a long one that begins a little before
// the focus.
func shortened(e *Entry, focus string) string {
	line := e.String()
	if len(line) <= mostLine {
		return line
	}
	head := line[:headLength]
	at := max(strings.Index(line, focus)-headLength, headLength)
	at = min(at, len(line)-mostLine+headLength)
	return strings.ToValidUTF8(head+" … "+line[at:at+mostLine-headLength]+" …", "")
}
