package schema

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema/jsonscan"
)

const (
	// maxViolations bounds what one value can be told: it may have millions
	// of members, and nobody reads more than the first few.
	maxViolations = 16
	// maxDepth is how deep a value may nest: as deep as the JSON package decodes.
	maxDepth = 10_000
	// maxKnownNames is how many names a message lists.
	maxKnownNames = 20
	// maxPointerBytes bounds a pointer, whose names come from a client. A
	// longer one is cut to that of the object around.
	maxPointerBytes = 1024
)

// errEnough ends the check at maxViolations, or after the first element or member
// beyond a limit, because there may be millions of them.
var errEnough = errors.New("enough violations")

// checker walks through a value once, part by part, so that it needs no memory but
// for what it finds, whatever the size of the value. Its methods answer errEnough
// or nil; where the value is not valid JSON the scanner knows.
type checker struct {
	scan  jsonscan.Scanner
	found []Violation
}

var checkers = sync.Pool{New: func() any { return new(checker) }}

// check checks a value against a schema. What is no JSON is one violation.
func check(n *node, value jsontext.Value) []Violation {
	c := checkers.Get().(*checker)
	defer checkers.Put(c)
	c.scan.Reset(value, maxDepth)
	err := c.value(n)
	valid := err == errEnough || c.scan.Err() == nil && c.scan.AtEnd()
	found := c.found
	c.scan.Reset(nil, 0) // or the pool would keep the value
	c.found = nil
	if !valid {
		return []Violation{{Message: "want one valid JSON value"}}
	}
	return found
}

// add tells of a violation at the value that was read last.
func (c *checker) add(format string, args ...any) error {
	return c.addAt(c.scan.Pointer(), format, args...)
}

func (c *checker) addAt(at string, format string, args ...any) error {
	for len(at) > maxPointerBytes {
		at = at[:strings.LastIndexByte(at, '/')]
	}
	c.found = append(c.found, Violation{Pointer: at, Message: fmt.Sprintf(format, args...)})
	if len(c.found) == maxViolations {
		return errEnough
	}
	return nil
}

func (c *checker) value(n *node) error {
	if n == nil {
		c.scan.Value()
		return nil
	}
	kind := c.scan.Kind()
	if strings.IndexByte(n.kinds, kind) < 0 {
		if c.scan.Value() == nil {
			return nil
		}
		return c.add("got %s, want %s", kindName(kind), n.wanted())
	}
	switch kind {
	case '{':
		return c.object(n)
	case '[':
		return c.array(n)
	}
	raw := c.scan.Value()
	switch {
	case raw == nil:
		return nil
	case kind == '"':
		return c.text(n, raw)
	case kind == '0':
		return c.number(n, raw)
	}
	return nil
}

func kindName(kind byte) string {
	switch kind {
	case 't', 'f':
		return "boolean"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	default:
		return "null"
	}
}

func (c *checker) object(n *node) error {
	var few [64]bool // most structs fit, and it needs no memory
	seen, count := few[:], 0
	if len(n.names) > len(few) {
		seen = make([]bool, len(n.names))
	}
	for c.scan.Open(); c.scan.Next(); count++ {
		if err := c.member(n, seen); err != nil {
			return err
		}
		if count >= n.maxProps {
			return c.tooMany(n.maxProps, "member")
		}
	}
	if c.scan.Err() != nil {
		return nil
	}
	return c.whole(n, seen)
}

func (c *checker) member(n *node, seen []bool) error {
	name := c.scan.Name()
	m, known := n.members[string(name)]
	switch {
	case known:
		seen[m.index] = true
		return c.value(m.node)
	case n.closed:
		err := c.unknown(n, string(name))
		c.scan.Value()
		return err
	default:
		return c.value(n.others)
	}
}

// whole checks what only the end of an object tells.
func (c *checker) whole(n *node, seen []bool) error {
	for _, name := range n.required {
		if !seen[n.members[name].index] {
			if err := c.add("missing member %q", name); err != nil {
				return err
			}
		}
	}
	return nil
}

// tooMany ends the check, within an object or a list that has one more than it
// may have.
func (c *checker) tooMany(most int, noun string) error {
	_ = c.addAt(c.scan.Within(), "got more, want at most %s", counted(most, noun))
	return errEnough
}

// unknown tells of a member that the object cannot have. Its name, which is
// the last thing read, is in the pointer.
func (c *checker) unknown(n *node, name string) error {
	if len(n.names) == 0 {
		return c.add("unknown member; there are none")
	}
	known := n.names[:min(len(n.names), maxKnownNames)]
	message := "unknown member; known are " + quoteAll(known)
	if len(known) < len(n.names) {
		message += " and more"
	}
	return c.add("%s%s", message, didYouMean(name, n.names))
}

func didYouMean(name string, known []string) string {
	names := Suggest(name, known)
	for i := range names {
		names[i] = strconv.Quote(names[i])
	}
	if names == nil {
		return ""
	}
	return " (did you mean " + strings.Join(names, " or ") + "?)"
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = strconv.Quote(name)
	}
	return strings.Join(quoted, ", ")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (c *checker) array(n *node) error {
	count := 0
	for c.scan.Open(); c.scan.Next(); count++ {
		if err := c.value(n.items); err != nil {
			return err
		}
		if count >= n.maxItems {
			return c.tooMany(n.maxItems, "element")
		}
	}
	if c.scan.Err() != nil {
		return nil
	}
	if count < n.minItems {
		orNone := ""
		if n.optional {
			orNone = ", or leave it out"
		}
		return c.add("got %d, want at least %s%s", count, counted(n.minItems, "element"), orNone)
	}
	return nil
}

func (c *checker) number(n *node, raw []byte) error {
	if n.floatBits > 0 {
		if _, err := strconv.ParseFloat(string(raw), n.floatBits); err != nil {
			return c.add("got %s, want a number that fits a float of %d bits", shortNumber(raw), n.floatBits)
		}
	}
	if !n.integer && len(n.limits) == 0 {
		return nil
	}
	d := parseDecimal(raw)
	if n.integer && !d.isInteger() {
		return c.add("got %s, want %s", shortNumber(raw), n.want)
	}
	for _, l := range n.limits {
		if order := d.compare(l.at); l.upper && order > 0 || !l.upper && order < 0 {
			return c.add("got %s, %s", shortNumber(raw), l.message)
		}
	}
	return nil
}

// wanted says what kinds of values are wanted, and of texts that a type of Go reads, which ones.
func (n *node) wanted() string {
	if n.reads == nil || n.format != "" {
		return n.want
	}
	if form := n.reads(nil); form != "" {
		return n.want + ": " + form
	}
	return n.want
}

func (c *checker) text(n *node, quoted []byte) error {
	text := jsonscan.Unquote(quoted)
	if n.enum != nil && !slices.Contains(n.enum, string(text)) {
		return c.add("got %s, want one of %s%s", shortText(text), quoteAll(n.enum), didYouMean(string(text), n.enum))
	}
	if length := utf8.RuneCount(text); length < n.minLength {
		return c.add("got %d, want at least %s", length, counted(n.minLength, "character"))
	} else if length > n.maxLength {
		return c.add("got %d, want at most %s", length, counted(n.maxLength, "character"))
	}
	if cure := formatCure(n.format, text); cure != "" {
		if n.format == encodingBase64 {
			return c.add("want %s", cure)
		}
		return c.add("got %q, want %s", Cut(text), cure)
	}
	if n.reads != nil {
		if want := n.reads(text); want != "" {
			return c.add("want %s", want)
		}
	}
	return nil
}

// formatCure says what is wanted where text does not have the format.
func formatCure(format string, text []byte) string {
	switch format {
	case formatTime:
		if _, err := parseRFC3339(text); err != nil {
			return "an RFC 3339 time, as 2006-01-02T15:04:05Z"
		}
	case formatUUID:
		const length = len("00000000-0000-0000-0000-000000000000") // not the other forms the parser takes
		if _, err := uuid.ParseBytes(text); err != nil || len(text) != length {
			return "a UUID, as 01890a5d-ac96-774b-bcce-b302099a8057"
		}
	case encodingBase64:
		if _, err := base64.StdEncoding.Strict().Decode(make([]byte, base64.StdEncoding.DecodedLen(len(text))), text); err != nil || bytes.ContainsAny(text, "\r\n") {
			return "base64 with padding"
		}
	}
	return ""
}

// maxShown bounds a value that a message shows, in bytes. Numbers are shown,
// and what stands in the place of one of a few words, a UUID or a time; no
// other text is, since it may be a secret.
const maxShown = 32

func shortNumber(raw []byte) string {
	if len(raw) > maxShown {
		return string(raw[:maxShown]) + "…"
	}
	return string(raw)
}

func shortText(text []byte) string {
	if len(text) > maxShown {
		return "another text"
	}
	return strconv.Quote(string(text))
}
