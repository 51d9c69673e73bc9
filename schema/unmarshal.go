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

// Unmarshal decodes a value that Validate has found valid into a value of the
// type. It is json.Unmarshal with two differences, so that nothing that is
// valid fails or is changed: where an integer is wanted it takes 1.0 and 1e3,
// as JSON Schema does and as languages without integers write them; and in an
// any a number that a float64 cannot hold exactly is a jsontext.Value with the
// text of the number.
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

// namesAreChecked says that Validate has found no duplicate names: to look for
// them again takes memory for each member.
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

// exactNumber is a float64 where that is written as the same number again.
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

// plainIntegers rewrites each number of a valid value that stands where an
// integer is wanted to its plain digits: 1.0, 1e3 and -0 become 1, 1000 and 0.
// All else stays as it is, byte for byte.
func plainIntegers(root *node, value jsontext.Value) (plain jsontext.Value, changed bool) {
	w := plainWriter{value: value}
	w.scan.Reset(value, maxDepth)
	if w.rewrite(root); w.copied == 0 {
		return value, false
	}
	return append(w.plain, value[w.copied:]...), true
}

// plainWriter has written plain, which stands for value up to copied.
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
