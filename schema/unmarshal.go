package schema

import (
	"bytes"
	"errors"
	"reflect"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
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
	w := plainWriter{dec: jsontext.NewDecoder(bytes.NewBuffer(value), namesAreChecked...), value: value}
	if err := w.rewrite(root); err != nil || w.copied == 0 {
		return value, false
	}
	return append(w.plain, value[w.copied:]...), true
}

// plainWriter has written plain, which stands for value up to copied.
type plainWriter struct {
	dec    *jsontext.Decoder
	value  jsontext.Value
	plain  jsontext.Value
	copied int
}

func (w *plainWriter) rewrite(n *node) error {
	if n == nil {
		return w.dec.SkipValue()
	}
	switch kind := w.dec.PeekKind(); {
	case kind == '{':
		return w.object(n)
	case kind == '[':
		return w.array(n)
	case kind == '0' && n.integer:
		return w.integer()
	}
	return w.dec.SkipValue()
}

func (w *plainWriter) object(n *node) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	for w.dec.PeekKind() != '}' {
		quoted, err := w.dec.ReadValue()
		if err != nil {
			return err
		}
		of := n.others
		if m, known := n.members[string(unquote(quoted))]; known {
			of = m.node
		}
		if err := w.rewrite(of); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *plainWriter) array(n *node) error {
	if _, err := w.dec.ReadToken(); err != nil {
		return err
	}
	for w.dec.PeekKind() != ']' {
		if err := w.rewrite(n.items); err != nil {
			return err
		}
	}
	_, err := w.dec.ReadToken()
	return err
}

func (w *plainWriter) integer() error {
	raw, err := w.dec.ReadValue()
	if err != nil {
		return err
	}
	d := parseDecimal(raw)
	if !d.isInteger() || d.point > maxPlainDigits {
		return nil // it is not valid
	}
	digits := d.appendPlain(nil)
	if bytes.Equal(digits, raw) {
		return nil
	}
	end := int(w.dec.InputOffset())
	w.plain = append(append(w.plain, w.value[w.copied:end-len(raw)]...), digits...)
	w.copied = end
	return nil
}
