package show

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Columns is how many columns of a terminal a text takes that has no control
// characters: two for a wide character of East Asia or an emoji, none for a mark that
// stands on the character before it.
func Columns(text string) int {
	n := 0
	for _, r := range text {
		n += columnsOfRune(r)
	}
	return n
}

func columnsOfRune(r rune) int {
	if r < utf8.RuneSelf {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// ellipsis stands for what was cut off.
const ellipsis = "…"

// Cut shortens a text to so many columns.
func Cut(text string, columns int) string {
	if Columns(text) <= columns {
		return text
	}
	if columns <= 0 {
		return ""
	}
	used := Columns(ellipsis)
	for i, r := range text {
		n := columnsOfRune(r)
		if used+n > columns {
			return text[:i] + ellipsis
		}
		used += n
	}
	return text
}

// Wrap breaks a text into lines of at most so many columns, at spaces where it has some.
func Wrap(text string, columns int) []string {
	var lines []string
	for Columns(text) > columns {
		end, used, space := 0, 0, -1
		for i, r := range text {
			if used += columnsOfRune(r); used > columns && i > 0 {
				break
			}
			if end = i + utf8.RuneLen(r); r == ' ' {
				space = i
			}
		}
		if text[end:] != "" && text[end] == ' ' {
			space = end
		}
		if space > 0 {
			lines, text = append(lines, text[:space]), text[space+1:]
		} else {
			lines, text = append(lines, text[:end]), text[end:]
		}
	}
	return append(lines, text)
}

// Pad fills a text up with spaces to so many columns.
func Pad(text string, columns int) string {
	return text + strings.Repeat(" ", max(0, columns-Columns(text)))
}

// Line makes of a text of others one line without anything that a terminal would
// obey.
func Line(text string) string {
	return string(Escape(nil, []byte(strings.Join(strings.Fields(text), " "))))
}
