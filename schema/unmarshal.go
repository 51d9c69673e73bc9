package schema

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema/jsonscan"
)

// Unmarshal decodes a JSON value that Validate has accepted. It differs from json.Unmarshal in two
// ways, so that a valid value is always decoded, and without loss. It decodes 1.0 and 1e3
// into an integer, as JSON Schema allows and as languages without integers write them. In an
// any, a number that would change as a float64 becomes a jsontext.Value with its text.
func (s *Schema) Unmarshal(value jsontext.Value, into any) error {
	options := namesAreChecked
	if s.hasAny {
		options = exactNumbers
	}
	err := json.Unmarshal(value, into, options...)
	if err == nil {
		return nil
	}
	plain, changed := plainIntegers(s.root, value)
	if !changed {
		return err
	}
	reflect.ValueOf(into).Elem().SetZero() // what the first attempt has left
	return json.Unmarshal(plain, into, options...)
}

// namesAreChecked tells the JSON package not to look for duplicate names again. Validate has
// done that, and it takes memory for each member.
var namesAreChecked = []json.Options{jsontext.AllowDuplicateNames(true)}

var exactNumbers = []json.Options{jsontext.AllowDuplicateNames(true), json.WithUnmarshalers(json.UnmarshalFromFunc(
	func(dec *jsontext.Decoder, into *any) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported // as always
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		*into = exactNumber(raw)
		return nil
	}))}

// exactNumber is the number as a float64, if that is written as the same number again, and otherwise
// its text.
func exactNumber(raw jsontext.Value) any {
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return raw.Clone()
	}
	again := strconv.AppendFloat(nil, f, 'e', -1, 64)
	if parseDecimal(again).compare(parseDecimal(raw)) != 0 {
		return raw.Clone()
	}
	return f
}

// plainIntegers rewrites a valid value so that each number has plain digits where the type has an
// integer: 1.0, 1e3 and -0 become 1, 1000 and 0. All other bytes stay.
func plainIntegers(root *node, value jsontext.Value) (plain jsontext.Value, changed bool) {
	w := plainWriter{value: value}
	w.scan.Reset(value, maxDepth)
	if w.rewrite(root); w.copied == 0 {
		return value, false
	}
	return append(w.plain, value[w.copied:]...), true
}

// plainWriter rewrites value. plain is the rewritten form of value[:copied].
type plainWriter struct {
	scan   jsonscan.Scanner
	value  jsontext.Value
	plain  jsontext.Value
	copied int
}

func (w *plainWriter) rewrite(n *node) {
	kind := w.scan.Kind()
	switch {
	case n != nil && kind == '{':
		for w.scan.Open(); w.scan.Next(); {
			of := n.others
			if m, known := n.members[string(w.scan.Name())]; known {
				of = m.node
			}
			w.rewrite(of)
		}
	case n != nil && kind == '[':
		for w.scan.Open(); w.scan.Next(); {
			w.rewrite(n.items)
		}
	case n != nil && kind == '0' && n.integer:
		w.integer(w.scan.Value())
	default:
		w.scan.Value()
	}
}

func (w *plainWriter) integer(raw []byte) {
	d := parseDecimal(raw)
	if !d.isInteger() || d.point > maxPlainDigits {
		return // it is not valid
	}
	digits := d.appendPlain(nil)
	if bytes.Equal(digits, raw) {
		return
	}
	end := w.scan.Offset()
	w.plain = append(append(w.plain, w.value[w.copied:end-len(raw)]...), digits...)
	w.copied = end
}
