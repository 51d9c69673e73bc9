package memory

import (
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// text is a JSON value in two words, where a slice takes three. Its bytes are those
// of the slice that it was made of, and never change. The zero value is nil.
type text struct {
	first *byte
	size  int
}

func textOf(v []byte) text { return text{unsafe.SliceData(v), len(v)} }

func (t text) value() jsontext.Value { return unsafe.Slice(t.first, t.size) }
