package show

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	// mostLineBytes is how long a line may be, in bytes. What is longer goes on in the next one.
	mostLineBytes = 16 << 10
	// mostParts is how many coloured parts of a line are kept.
	mostParts = 200
)

// ShownLine is a line of text without escape sequences, and how its parts look.
type ShownLine struct {
	Text  string
	Parts []ColouredPart
}

// ColouredPart is a part of a line that has a look. Column and Length are in bytes.
type ColouredPart struct {
	Column, Length int
	Look           Look
}

// TerminalLines makes lines of what [TerminalText] answers. Where a carriage return begins a line
// anew, what follows replaces what was there. The zero value is ready for use.
type TerminalLines struct {
	text     []byte         // the line that has not ended
	parts    []ColouredPart // its coloured parts
	look     Look           // of what follows
	returned bool           // what follows replaces the line
}

// Append answers the lines that a text adds. The first one goes on with the line that had not
// ended before, and replaces it. The last one has not ended.
func (t *TerminalLines) Append(text []byte) (lines []ShownLine) {
	for len(text) > 0 {
		n := 1
		switch c := text[0]; c {
		case '\n':
			t.returned = false
			lines = append(lines, t.end())
		case '\r':
			t.returned = true
		case '\b':
			t.back()
		case escape:
			n = t.sequence(text)
		default:
			for n < len(text) && (text[n] >= ' ' || text[n] == '\t') {
				n++
			}
			lines = t.add(lines, text[:n])
		}
		text = text[n:]
	}
	return append(lines, ShownLine{string(t.text), slices.Clone(t.parts)})
}

// end ends a line.
func (t *TerminalLines) end() ShownLine {
	line := ShownLine{string(t.text), t.parts}
	t.text, t.parts = t.text[:0], nil
	return line
}

// begin begins the line anew after a carriage return.
func (t *TerminalLines) begin() {
	if t.returned {
		t.text, t.parts, t.returned = t.text[:0], nil, false
	}
}

// add adds characters, which begin a new line where the line is full.
func (t *TerminalLines) add(lines []ShownLine, text []byte) []ShownLine {
	t.begin()
	for len(t.text)+len(text) > mostLineBytes {
		n := mostLineBytes - len(t.text)
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		t.put(text[:n])
		lines, text = append(lines, t.end()), text[n:]
	}
	t.put(text)
	return lines
}

func (t *TerminalLines) put(text []byte) {
	column := len(t.text)
	t.text = append(t.text, text...)
	if t.look == (Look{}) || len(text) == 0 {
		return
	}
	if n := len(t.parts); n > 0 && t.parts[n-1].Look == t.look && t.parts[n-1].Column+t.parts[n-1].Length == column {
		t.parts[n-1].Length += len(text)
	} else if n < mostParts {
		t.parts = append(t.parts, ColouredPart{column, len(text), t.look})
	}
}

// back removes the last character of the line.
func (t *TerminalLines) back() {
	_, n := utf8.DecodeLastRune(t.text)
	t.text = t.text[:len(t.text)-n]
	for i := len(t.parts) - 1; i >= 0 && t.parts[i].Column+t.parts[i].Length > len(t.text); i-- {
		if t.parts[i].Length = len(t.text) - t.parts[i].Column; t.parts[i].Length <= 0 {
			t.parts = t.parts[:i]
		}
	}
}

// sequence obeys an escape sequence, and answers its length.
func (t *TerminalLines) sequence(text []byte) int {
	end := 1
	for end < len(text) && text[end] != 'm' && text[end] != 'K' {
		end++
	}
	if end == len(text) { // not from TerminalText
		return 1
	}
	switch parameters := string(text[min(2, end):end]); {
	case text[end] == 'm':
		t.look = t.look.after(parameters)
	case parameters == "2" || t.returned:
		t.returned = true
		t.begin()
	}
	return end + 1
}

// Look is how a part of a line looks. The zero value is that of normal text.
type Look struct {
	// Foreground and Background are an index of the 256 colours plus one; 0 is the usual colour.
	Foreground, Background uint16
	attributes             uint8 // a bit for each of attributeNames
}

var (
	// attributeCodes are the codes that switch each attribute on.
	attributeCodes = [...]int{1, 3, 4, 7, 9}
	attributeNames = [len(attributeCodes)]string{"bold", "italic", "underline", "reverse", "strikethrough"}
)

// Attributes are the names of what a look has beside colours.
func (l Look) Attributes() (names []string) {
	for i, name := range attributeNames {
		if l.attributes&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Name names a look in letters, digits and underscores: FOREGROUND_BACKGROUND_ATTRIBUTE….
func (l Look) Name() string {
	colour := func(c uint16) string {
		if c == 0 {
			return ""
		}
		return strconv.Itoa(int(c) - 1)
	}
	return strings.Join(append([]string{colour(l.Foreground), colour(l.Background)}, l.Attributes()...), "_")
}

// after is a look as the parameters of a sequence that ends with m change it.
func (l Look) after(parameters string) Look {
	var codes []int
	for word := range strings.FieldsFuncSeq(cmp.Or(parameters, "0"), func(r rune) bool { return r == ';' || r == ':' }) {
		code, _ := strconv.Atoi(word) // what is no number is 0
		codes = append(codes, code)
	}
	for len(codes) > 0 {
		code := codes[0]
		codes = codes[1:]
		switch {
		case code == 0:
			l = Look{}
		case code == 38:
			l.Foreground, codes = extended(codes)
		case code == 48:
			l.Background, codes = extended(codes)
		case code >= 30 && code <= 37:
			l.Foreground = uint16(code - 29)
		case code == 39:
			l.Foreground = 0
		case code >= 40 && code <= 47:
			l.Background = uint16(code - 39)
		case code == 49:
			l.Background = 0
		case code >= 90 && code <= 97:
			l.Foreground = uint16(code - 81)
		case code >= 100 && code <= 107:
			l.Background = uint16(code - 91)
		default:
			l.toggle(code)
		}
	}
	return l
}

// toggle obeys a code that switches an attribute on or off.
func (l *Look) toggle(code int) {
	if code == 22 {
		l.attributes &^= 1
	}
	for i, on := range attributeCodes {
		switch code {
		case on:
			l.attributes |= 1 << i
		case on + 20:
			l.attributes &^= 1 << i
		}
	}
}

// extended reads a colour of 256, or the nearest of them to one of three parts.
func extended(codes []int) (colour uint16, rest []int) {
	at := func(i int) int {
		if i < len(codes) {
			return min(max(codes[i], 0), 255)
		}
		return 0
	}
	switch at(0) {
	case 5:
		return uint16(at(1) + 1), codes[min(2, len(codes)):]
	case 2:
		index := 16
		for i, weight := range [...]int{36, 6, 1} {
			index += weight * cubeStep(at(i+1))
		}
		return uint16(index + 1), codes[min(4, len(codes)):]
	}
	return 0, codes
}

// cubeStep is the step of the cube of 256 colours that is the nearest to a part of a colour.
func cubeStep(part int) int {
	switch {
	case part < 48:
		return 0
	case part < 115:
		return 1
	}
	return min(5, (part-35)/40)
}

// basicColours are the first 16 of the 256 colours, as they look well on dark and light.
var basicColours = [...]string{
	"#000000", "#cd3131", "#0dbc79", "#b5a642", "#2472c8", "#bc3fbc", "#11a8cd", "#cccccc",
	"#767676", "#f14c4c", "#23d18b", "#f5f543", "#3b8eea", "#d670d6", "#29b8db", "#ffffff",
}

// Colour is one of the 256 colours as HTML has it, as "#cd3131".
func Colour(index uint16) string {
	steps := [...]uint16{0, 95, 135, 175, 215, 255}
	switch n := index - 16; {
	case index < 16:
		return basicColours[index]
	case index > 231:
		grey := 8 + (min(index, 255)-232)*10
		return fmt.Sprintf("#%02x%02x%02x", grey, grey, grey)
	default:
		return fmt.Sprintf("#%02x%02x%02x", steps[n/36], steps[n/6%6], steps[n%6])
	}
}
