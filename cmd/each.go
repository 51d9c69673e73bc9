package cmd

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// eachTemplate makes commands of lines, as GNU parallel does.
type eachTemplate struct {
	// words are the words of the command where no shell is needed; each is text and
	// places in turn.
	words [][]templatePart
	// script is the command where a shell is to read it, and places are what it finds as
	// its arguments: "{}" and so on. What is in a line is never a part of the script, so
	// it cannot be run as a command.
	script string
	places []string
}

// templatePart is a text, or a place for something of the line.
type templatePart struct {
	text  string
	place string // "{}" and so on, or "" for a text
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
	if err := checkInnerShell(text); err != nil {
		return t, err
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
	return t, t.readByShell(parts)
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

// readByShell makes the script of a template.
func (t *eachTemplate) readByShell(parts []templatePart) error {
	var script strings.Builder
	var quotes shellQuotes
	for _, p := range parts {
		if p.place == "" {
			script.WriteString(p.text)
			quotes.read(p.text)
			continue
		}
		at := slices.Index(t.places, p.place)
		if at < 0 {
			at = len(t.places)
			t.places = append(t.places, p.place)
		}
		script.WriteString(quotes.argument(at + 1))
	}
	if open := quotes.open(); open == '\'' || open == '"' {
		return fmt.Errorf("its quote %c does not end", open)
	}
	t.script = script.String()
	return nil
}

// shellQuotes are the quotes and parentheses of a shell that are open, the innermost last.
type shellQuotes []byte

// open is the innermost that is open, or 0.
func (q shellQuotes) open() byte {
	if len(q) == 0 {
		return 0
	}
	return q[len(q)-1]
}

// read goes on behind a part of a script.
func (q *shellQuotes) read(text string) {
	for i := 0; i < len(text); i++ {
		open := q.open()
		switch c := text[i]; {
		case c == '\\' && open != '\'':
			i++
		case c == open && c != '(', c == ')' && open == '(':
			*q = (*q)[:len(*q)-1]
		case open == '\'':
		case c == '\'' && open != '"', c == '"':
			*q = append(*q, c)
		case c == '(' && (open == '(' || i > 0 && text[i-1] == '$'): // also within double quotes
			*q = append(*q, c)
		}
	}
}

// argument is how a script has an argument as one word, in the quotes that are open.
func (q shellQuotes) argument(n int) string {
	switch q.open() {
	case '\'':
		return fmt.Sprintf(`'"$%d"'`, n)
	case '"':
		return fmt.Sprintf("${%d}", n)
	}
	return fmt.Sprintf(`"$%d"`, n)
}

// argv is the command for a line.
func (t *eachTemplate) argv(line string, number int) []string {
	if t.script != "" {
		argv := []string{"sh", "-c", t.script, "sh"}
		for _, place := range t.places {
			argv = append(argv, placesOf[place](line, number))
		}
		return argv
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
