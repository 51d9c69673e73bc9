package jsonscan

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// every is a word whose bytes are all 1; multiplied, all are the same byte.
const every = 0x0101010101010101

// special marks, by its highest bit, the first byte of a word that does not stand
// for itself in a string: a quote, a backslash, a control character, or a part of
// a character beyond ASCII. Later bytes may be marked wrongly.
func special(word uint64) uint64 {
	quote, backslash := word^every*'"', word^every*'\\'
	return ((quote-every)&^quote | (backslash-every)&^backslash | (word-every*' ')&^word | word) & (every * 0x80)
}

// stringEnd answers where the string that begins at i ends, and whether it has
// escapes; -1 where no valid string begins there.
func (s *Scanner) stringEnd(i int) (end int, escaped bool) {
	text := s.text
	if i >= len(text) || text[i] != '"' {
		return -1, false
	}
	for i++; ; {
		for i+8 <= len(text) {
			if found := special(binary.LittleEndian.Uint64(text[i:])); found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		if i >= len(text) {
			return -1, escaped
		}
		switch c := text[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			n := escapeLength(text[i:])
			if n == 0 {
				return -1, escaped
			}
			i += n
		case c < ' ':
			return -1, escaped
		case c < utf8.RuneSelf:
			i++
		default:
			r, n := utf8.DecodeRune(text[i:])
			if r == utf8.RuneError && n == 1 {
				return -1, escaped
			}
			i += n
		}
	}
}

// Unquote is the text of a string: the part between the quotes, or a copy where it
// has escapes. In that copy what is not valid is U+FFFD. Of no bytes it is none.
func Unquote(quoted []byte) []byte {
	if len(quoted) == 0 {
		return nil
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// escapeLength is the length of the escape sequence that text begins with, a pair
// of surrogates being one; 0 where it is none.
func escapeLength(text []byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		r, ok := unicodeEscape(text)
		if !ok {
			return 0
		}
		if !utf16.IsSurrogate(r) {
			return 6
		}
		if low, ok := unicodeEscape(text[6:]); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
			return 12
		}
	}
	return 0
}

// unicodeEscape reads the \uXXXX that text begins with.
func unicodeEscape(text []byte) (r rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for _, c := range text[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// numberEnd answers where the number that begins at i ends or, where it is not
// valid, where a digit is missing.
func numberEnd(text []byte, i int) (end int, valid bool) {
	if i < len(text) && text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i, valid = i+1, true
	} else {
		i, valid = digitsEnd(text, i)
	}
	if valid && i < len(text) && text[i] == '.' {
		i, valid = digitsEnd(text, i+1)
	}
	if valid && i < len(text) && text[i]|0x20 == 'e' {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		i, valid = digitsEnd(text, i)
	}
	return i, valid
}

// digitsEnd answers where the digits that begin at i end, and whether there are any.
func digitsEnd(text []byte, i int) (end int, some bool) {
	begin := i
	for i < len(text) && text[i]-'0' <= 9 {
		i++
	}
	return i, i > begin
}

// literalEnd answers where the literal ends that is to stand at i, and whether it does.
func literalEnd(text []byte, i int, literal string) (end int, valid bool) {
	end = i + len(literal)
	return end, end <= len(text) && string(text[i:end]) == literal
}
