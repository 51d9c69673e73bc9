package jsonscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// What a SyntaxError can wrap besides io.ErrUnexpectedEOF, which is of a text
// that may be the beginning of a valid one.
var (
	ErrDuplicateName = errors.New("duplicate object member name")
	ErrDepth         = errors.New("nested too deep")
	errTooLong       = errors.New("longer than 2 GiB")
	errInvalidUTF8   = errors.New("invalid UTF-8")
)

// SyntaxError says what is wrong with a text, and where.
type SyntaxError struct {
	Offset  int    // in bytes
	Pointer string // the JSON Pointer of the value in which it is
	Name    string // the name that is there twice, of ErrDuplicateName
	Err     error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("at byte %d: %v", e.Offset, e.Err) }
func (e *SyntaxError) Unwrap() error { return e.Err }

// fail notes the first error. Within is whether it is in the newest member or
// element of what is open, or in what is open itself. It answers false.
func (s *Scanner) fail(at int, err error, within bool) bool {
	if s.fault != nil {
		return false
	}
	s.fault = &SyntaxError{Offset: at, Err: err, Pointer: s.pointer(within)}
	if err == ErrDuplicateName {
		s.fault.Name = string(s.Name())
	}
	return false
}

// Pointer is the JSON Pointer of the value that was read last, or that Next has
// gone on to.
func (s *Scanner) Pointer() string { return s.pointer(true) }

// Within is the JSON Pointer of the object or array that is open.
func (s *Scanner) Within() string { return s.pointer(false) }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (s *Scanner) pointer(within bool) string {
	var b strings.Builder
	for i := range s.levels {
		l := &s.levels[i]
		if l.count == 0 || i == len(s.levels)-1 && !within {
			break
		}
		b.WriteByte('/')
		if l.end == ']' {
			b.WriteString(strconv.FormatUint(uint64(l.count-1), 10))
		} else {
			b.WriteString(pointerEscapes.Replace(string(s.plain(l.name, &s.scratch))))
		}
	}
	return b.String()
}

// badValue tells why no value begins where the scanner is.
func (s *Scanner) badValue() {
	kind := s.Kind()
	if s.pos == len(s.text) {
		s.fail(s.pos, io.ErrUnexpectedEOF, true)
		return
	}
	switch kind {
	case '"':
		s.badString(s.pos, true)
	case '0':
		s.badNumber()
	case 't':
		s.badLiteral("true")
	case 'f':
		s.badLiteral("false")
	case 'n':
		s.badLiteral("null")
	default:
		s.fail(s.pos, badCharacter(s.text[s.pos:], "at start of value"), true)
	}
}

func (s *Scanner) badLiteral(literal string) {
	i := 0
	for s.pos+i < len(s.text) && s.text[s.pos+i] == literal[i] {
		i++
	}
	if rest := s.text[s.pos+i:]; len(rest) == 0 {
		s.fail(len(s.text), io.ErrUnexpectedEOF, true)
	} else {
		s.fail(s.pos+i, badCharacter(rest, fmt.Sprintf("in literal %s (expecting %q)", literal, rune(literal[i]))), true)
	}
}

func (s *Scanner) badNumber() {
	if i, _ := numberEnd(s.text, s.pos); i == len(s.text) {
		s.fail(i, io.ErrUnexpectedEOF, true)
	} else {
		s.fail(i, badCharacter(s.text[i:], "in number (expecting digit)"), true)
	}
}

// badString tells why no string begins at i.
func (s *Scanner) badString(i int, within bool) bool {
	rest := s.text[i:]
	if len(rest) > 0 && rest[0] != '"' {
		return s.fail(i, badCharacter(rest, `at start of string (expecting '"')`), within)
	}
	for n := 1; n < len(rest); {
		r, size := utf8.DecodeRune(rest[n:])
		switch {
		case r == '\\':
			if size = escapeLength(rest[n:]); size == 0 {
				return s.badEscape(i+n, within)
			}
		case r < ' ':
			return s.fail(i+n, badCharacter(rest[n:], "in string (expecting non-control character)"), within)
		case r == utf8.RuneError && size == 1 && !utf8.FullRune(rest[n:]):
			return s.fail(len(s.text), io.ErrUnexpectedEOF, within)
		case r == utf8.RuneError && size == 1:
			return s.fail(i+n, errInvalidUTF8, within)
		}
		n += size
	}
	return s.fail(len(s.text), io.ErrUnexpectedEOF, within)
}

// badEscape tells why no escape sequence begins at i, where a backslash is.
func (s *Scanner) badEscape(i int, within bool) bool {
	rest := s.text[i:]
	if r, ok := unicodeEscape(rest); ok && utf16.IsSurrogate(r) {
		if low := rest[6:]; mayBegin(low, true) {
			return s.fail(len(s.text), io.ErrUnexpectedEOF, within)
		}
		return s.fail(i, fmt.Errorf("invalid surrogate pair %s in string", quote(rest[:min(len(rest), 12)])), within)
	}
	if mayBegin(rest, false) {
		return s.fail(len(s.text), io.ErrUnexpectedEOF, within)
	}
	length := 2
	if rest[1] == 'u' {
		length = 6
	}
	return s.fail(i, fmt.Errorf("invalid escape sequence %s in string", quote(rest[:min(len(rest), length)])), within)
}

// mayBegin reports whether an escape sequence may go on where the text has been
// cut; that of a low surrogate, where this is asked for.
func mayBegin(text []byte, low bool) bool {
	const whole = len(`\u0000`)
	if len(text) >= whole {
		return false
	}
	for i, c := range text {
		switch {
		case i == 0 && c != '\\', i == 1 && c != 'u',
			i == 2 && low && c|0x20 != 'd', i == 3 && low && (c|0x20 < 'c' || c|0x20 > 'f'),
			i >= 2 && strings.IndexByte("0123456789abcdefABCDEF", c) < 0:
			return false
		}
	}
	return true
}

func afterValue(end byte) string {
	if end == '}' {
		return "after object value (expecting ',' or '}')"
	}
	return "after array element (expecting ',' or ']')"
}

// badCharacter is of the character that text begins with.
func badCharacter(text []byte, where string) error {
	r, size := utf8.DecodeRune(text)
	if r == utf8.RuneError && size == 1 {
		return fmt.Errorf(`invalid character '\x%02x' %s`, text[0], where)
	}
	return fmt.Errorf("invalid character %s %s", strconv.QuoteRune(r), where)
}

// quote is a text in quotes, escaped only where it would not be seen as it is.
func quote(text []byte) string {
	if bytes.ContainsFunc(text, func(r rune) bool {
		return r == '`' || r == utf8.RuneError || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}) {
		return strconv.Quote(string(text))
	}
	return "`" + string(text) + "`"
}
