package cmd

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// shells are the programs whose -c reads its argument as a program.
var shells = []string{"sh", "bash", "dash", "zsh", "ksh"}

// checkInnerShell refuses a template in which a place is a part of the program of
// another shell, as in sh -c 'wc {}': that shell would run what is in a line.
func checkInnerShell(template string) error {
	words := roughWords(template)
	for i, word := range words {
		shell := path.Base(unquoted(word))
		if !slices.Contains(shells, shell) {
			continue
		}
		for _, part := range templateParts(programOf(words[i+1:])) {
			if part.place != "" {
				return fmt.Errorf("its %s is a part of the program of %s -c, which would run what is in a line; leave out %[2]s -c: the template is read by a shell already", part.place, shell)
			}
		}
	}
	return nil
}

// programOf is the argument of -c among the words after a shell, or "".
func programOf(words []string) string {
	hasProgram := false
	for i := 0; i < len(words); i++ {
		word := unquoted(words[i])
		isOption := len(word) > 1 && (word[0] == '-' || word[0] == '+')
		switch {
		case !isOption && hasProgram:
			return words[i]
		case !isOption:
			return ""
		case strings.HasPrefix(word, "--"):
		default:
			hasProgram = hasProgram || word[0] == '-' && strings.Contains(word, "c")
			if end := word[len(word)-1]; end == 'o' || end == 'O' {
				i++ // the name of an option
			}
		}
	}
	return ""
}

// roughWords splits a template where a shell does outside of quotes. Words keep their
// quotes.
func roughWords(template string) (words []string) {
	var word strings.Builder
	var quotes shellQuotes
	end := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for i := 0; i < len(template); i++ {
		c := template[i]
		if quotes.open() == 0 && strings.IndexByte(" \t\n;|&()`$", c) >= 0 {
			end()
			continue
		}
		piece := template[i : i+1]
		if c == '\\' && quotes.open() != '\'' && i+1 < len(template) {
			piece = template[i : i+2]
			i++
		}
		word.WriteString(piece)
		quotes.read(piece)
	}
	end()
	return words
}

// unquoted is a word without the quotes of a shell.
func unquoted(word string) string {
	return strings.NewReplacer("'", "", `"`, "", `\`, "").Replace(word)
}
