package rpc

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// This file picks the parts out of JSON that is known to be valid, without
// looking at it as closely a second time.

// members calls f with the name and the value of each member of an object. It
// stops where f answers false.
func members(object []byte, f func(name, value []byte) bool) {
	i := 1
	for {
		i = skipBlank(object, i)
		if object[i] == '}' {
			return
		}
		end := skipString(object, i)
		name := unquoted(object[i:end])
		i = skipBlank(object, skipBlank(object, end)+1) // the colon
		end = skipValue(object, i)
		if !f(name, object[i:end]) {
			return
		}
		if i = skipBlank(object, end); object[i] == ',' {
			i++
		}
	}
}

// elements calls f with each element of an array. It stops where f answers false.
func elements(array []byte, f func(value []byte) bool) {
	i := 1
	for {
		i = skipBlank(array, i)
		if array[i] == ']' {
			return
		}
		end := skipValue(array, i)
		if !f(array[i:end]) {
			return
		}
		if i = skipBlank(array, end); array[i] == ',' {
			i++
		}
	}
}

// unquoted is the text of a JSON string.
func unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

func skipBlank(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; ; i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

// skipValue is where the value that begins at i ends.
func skipValue(b []byte, i int) int {
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return i
		}
		i++
	}
	return i
}

func skipNested(b []byte, i int) int {
	open := 0
	for {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			open++
		case '}', ']':
			if open--; open == 0 {
				return i + 1
			}
		}
		i++
	}
}
