package wire

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AppendString appends a string as JSON; bytes that are not UTF-8 become U+FFFD.
func AppendString(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // no error
	return b
}

// AppendJSON appends a value of the types of package schema as JSON. It panics if the value cannot be
// marshalled; those types always can.
func AppendJSON(b []byte, v any) []byte {
	text, err := json.Marshal(v, json.Deterministic(true), jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	if err != nil {
		panic(err)
	}
	return append(b, text...)
}
