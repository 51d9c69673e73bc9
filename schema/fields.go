package schema

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// field is a field of a struct, or one promoted from an embedded struct.
type field struct {
	reflect.StructField
	member   string
	optional bool
	null     bool // whether null is written where it is a pointer
}

func (d *deriver) ofStruct(t reflect.Type) (*JSONSchema, error) {
	fields, err := fieldsOf(t)
	if err != nil {
		return nil, err
	}
	s := &JSONSchema{Type: "object", AdditionalProperties: &JSONSchema{Not: &JSONSchema{}}}
	if len(fields) > 0 {
		s.Properties = make(map[string]*JSONSchema, len(fields))
	}
	for _, f := range fields {
		p, err := d.ofField(f)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		s.Properties[f.member] = p
		s.PropertyOrder = append(s.PropertyOrder, f.member)
		if !f.optional {
			s.Required = append(s.Required, f.member)
		}
	}
	return s, nil
}

func (d *deriver) ofField(f field) (*JSONSchema, error) {
	s, err := d.of(f.Type)
	if err != nil {
		return nil, err
	}
	if !f.null {
		forbidNull(s)
	}
	if s.Description, err = description(f.Tag); err != nil {
		return nil, err
	}
	return s, d.applyTag(s, f.Tag.Get("schema"))
}

var looksLikeLimit = regexp.MustCompile(`^\w+=`)

func description(tag reflect.StructTag) (string, error) {
	text := tag.Get("jsonschema")
	if looksLikeLimit.MatchString(text) {
		return "", fmt.Errorf("the tag jsonschema:%q begins like a limit, and is a description: put limits into the tag schema", text)
	}
	return text, nil
}

// fieldsOf lists the fields of a struct that are written. The JSON package itself judges
// the struct's tags and what it embeds.
func fieldsOf(t reflect.Type) ([]field, error) {
	fields, err := appendFields(nil, t)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte("{}"), reflect.New(t).Interface()); err != nil {
		if e, ok := errors.AsType[*json.SemanticError](err); ok && e.Err != nil {
			err = e.Err
		}
		return nil, fmt.Errorf("%v has no JSON form: %w", t, err)
	}
	for i, f := range fields {
		if j := slices.IndexFunc(fields[:i], func(g field) bool { return g.member == f.member }); j >= 0 {
			return nil, fmt.Errorf("%v has two fields, %s and %s, for the member %q", t, fields[j].Name, f.Name, f.member)
		}
	}
	return fields, nil
}

func appendFields(fields []field, t reflect.Type) ([]field, error) {
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := sf.Tag.Get("json")
		name, rest, _ := strings.Cut(tag, ",")
		options := strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ':' })
		switch {
		case tag == "-" || !sf.IsExported() && !sf.Anonymous:
			continue
		case sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Pointer:
			return nil, fmt.Errorf("embedded field %s: a pointer may be nil, which leaves members out: embed the struct itself, or name the member in a json tag", sf.Name)
		case sf.Anonymous && name == "" && sf.Type.Kind() == reflect.Struct:
			var err error
			if fields, err = appendFields(fields, sf.Type); err != nil {
				return nil, err
			}
			continue
		}
		for _, refused := range []string{"string", "format", "embed"} {
			if slices.Contains(options, refused) {
				return nil, fmt.Errorf("field %s: a schema cannot follow the json option %q", sf.Name, refused)
			}
		}
		if name == "" {
			name = sf.Name
		}
		omitzero, omitempty := slices.Contains(options, "omitzero"), slices.Contains(options, "omitempty")
		fields = append(fields, field{
			StructField: sf, member: name, optional: omitzero || omitempty,
			// Omitempty leaves null out, omitzero only the nil of the field itself.
			null: !omitempty && (!omitzero || sf.Type.Kind() == reflect.Pointer && sf.Type.Elem().Kind() == reflect.Pointer),
		})
	}
	return fields, nil
}
