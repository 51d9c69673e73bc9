package cmd

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jobline/jobline/cmd/internal/show"
)

// eachTemplate makes commands of lines, as GNU parallel does.
type eachTemplate struct {
	// words are the words of the command where no shell is needed; each is text and
	// places in turn.
	words [][]templatePart
	// script is the command where a shell is to read it.
	script []templatePart
}

// templatePart is a text, or a place for something of the line.
type templatePart struct {
	text  string
	place string // "{}" and so on, or "" for a text
	quote byte   // in which quotes of a shell the place stands, or 0
}

// placesOf make of a line, and of its number from 1, what stands in its place.
var placesOf = map[string]func(line string, number int) string{
	"{}":   func(line string, _ int) string { return line },
	"{.}":  func(line string, _ int) string { return withoutExtension(line) },
	"{/}":  func(line string, _ int) string { return line[strings.LastIndexByte(line, '/')+1:] },
	"{//}": func(line string, _ int) string { return folderOf(line) },
	"{/.}": func(line string, _ int) string { return withoutExtension(line[strings.LastIndexByte(line, '/')+1:]) },
	"{#}":  func(_ string, number int) string { return strconv.Itoa(number) },
}

// withoutExtension removes the last dot of the file's name and what follows it.
func withoutExtension(line string) string {
	dot := strings.LastIndexByte(line, '.')
	if dot < 0 || dot < strings.LastIndexByte(line, '/') || dot == len(line)-1 {
		return line
	}
	return line[:dot]
}

// folderOf is what stands before the file's name, without the last slash.
func folderOf(line string) string {
	line = strings.TrimRight(line, "/")
	slash := strings.LastIndexByte(line, '/')
	switch folder := strings.TrimRight(line[:max(slash, 0)], "/"); {
	case folder != "":
		return folder
	case slash == 0 || line == "":
		return "/"
	}
	return "."
}

// shellSigns are the characters for which a command needs a shell.
const shellSigns = "'\"\\$`|&;<>()*?[]#~!\n\t"

// parseTemplate reads a template. Where it has no place at all, the line comes at its
// end.
func parseTemplate(text string) (t eachTemplate, err error) {
	if strings.TrimSpace(text) == "" {
		return t, errors.New("it is empty; write a command, as 'convert {} {}.png'")
	}
	parts := templateParts(text)
	if !slices.ContainsFunc(parts, func(p templatePart) bool { return p.place != "" }) {
		parts = templateParts(text + " {}")
	}
	if !needsShell(parts) {
		for word := range strings.FieldsSeq(joinTemplate(parts)) {
			t.words = append(t.words, templateParts(word))
		}
		return t, nil
	}
	if runtime.GOOS == "windows" {
		return t, errors.New("it needs a shell, which Windows does not have; write one command without quotes and signs of a shell")
	}
	if open := markQuotes(parts); open != 0 {
		return t, fmt.Errorf("its quote %c does not end", open)
	}
	t.script = parts
	return t, nil
}

// templateParts splits a template at its places. Other braces are text.
func templateParts(text string) (parts []templatePart) {
	for text != "" {
		at, place := len(text), ""
		for candidate := range placesOf {
			if i := strings.Index(text, candidate); i >= 0 && i < at {
				at, place = i, candidate
			}
		}
		if at > 0 {
			parts = append(parts, templatePart{text: text[:at]})
		}
		if place != "" {
			parts = append(parts, templatePart{place: place})
		}
		text = text[at+len(place):]
	}
	return parts
}

func joinTemplate(parts []templatePart) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.text + p.place)
	}
	return b.String()
}

// needsShell reports whether a command is more than words: then a shell reads it.
func needsShell(parts []templatePart) bool {
	for i, p := range parts {
		if strings.ContainsAny(p.text, shellSigns) {
			return true
		}
		// A variable that is set before the command, as A=1 make {}.
		if word, _, _ := strings.Cut(strings.TrimSpace(p.text), " "); i == 0 && strings.Contains(word, "=") {
			return true
		}
	}
	return false
}

// markQuotes notes in which quotes of a shell each place stands. It answers the quote
// that does not end, or 0.
func markQuotes(parts []templatePart) (open byte) {
	for i := range parts {
		parts[i].quote = open
		open = quoteAfter(parts[i].text, open)
	}
	return open
}

// quoteAfter is the quote in which a text ends that begins in another, or in none.
func quoteAfter(text string, open byte) byte {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && open != '\'':
			i++
		case open == 0 && (c == '\'' || c == '"'):
			open = c
		case c == open:
			open = 0
		}
	}
	return open
}

// quoteFor writes a text for a shell, in the quotes in which it stands.
func quoteFor(text string, quote byte) string {
	switch quote {
	case '\'':
		return strings.ReplaceAll(text, "'", `'\''`)
	case '"':
		return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`").Replace(text)
	}
	return show.ShellWord(text)
}

// argv is the command for a line. What a shell reads is quoted, so that it stays one
// word whatever the line has in it.
func (t *eachTemplate) argv(line string, number int) []string {
	if t.script != nil {
		return []string{"sh", "-c", fillIn(t.script, func(p *templatePart) string {
			return quoteFor(placesOf[p.place](line, number), p.quote)
		})}
	}
	argv := make([]string, len(t.words))
	for i, word := range t.words {
		argv[i] = fillIn(word, func(p *templatePart) string { return placesOf[p.place](line, number) })
	}
	return argv
}

// fillIn puts something into each place.
func fillIn(parts []templatePart, of func(*templatePart) string) string {
	if len(parts) == 1 && parts[0].place == "" {
		return parts[0].text
	}
	var b strings.Builder
	for i := range parts {
		if p := &parts[i]; p.place == "" {
			b.WriteString(p.text)
		} else {
			b.WriteString(of(p))
		}
	}
	return b.String()
}
