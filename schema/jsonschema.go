package schema

import (
	"bytes"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// JSONSchema is a JSON Schema (draft 2020-12) with the keywords that this module uses. The zero
// value accepts every JSON value, and is written as true. One whose Not is the zero value
// accepts none, and is written as false.
type JSONSchema struct {
	Type       string                 `json:"-"` // "" where it is not told, or Types are
	Types      []string               `json:"-"` // more than one type; Type is "" then
	Properties map[string]*JSONSchema `json:"-"`
	// PropertyOrder is the order in which Properties are written. Names that are not in it
	// follow, sorted.
	PropertyOrder []string `json:"-"`

	Items                *JSONSchema            `json:"items,omitzero"`
	Dialect              string                 `json:"$schema,omitzero"`
	Ref                  string                 `json:"$ref,omitzero"`
	Defs                 map[string]*JSONSchema `json:"$defs,omitempty"`
	Title                string                 `json:"title,omitzero"`
	Description          string                 `json:"description,omitzero"`
	Default              jsontext.Value         `json:"default,omitzero"`
	Enum                 []any                  `json:"enum,omitempty"`
	Minimum              *float64               `json:"minimum,omitzero"`
	Maximum              *float64               `json:"maximum,omitzero"`
	MinLength            *int                   `json:"minLength,omitzero"`
	MaxLength            *int                   `json:"maxLength,omitzero"`
	Pattern              string                 `json:"pattern,omitzero"`
	MinItems             *int                   `json:"minItems,omitzero"`
	MaxItems             *int                   `json:"maxItems,omitzero"`
	MaxProperties        *int                   `json:"maxProperties,omitzero"`
	Required             []string               `json:"required,omitempty"`
	AdditionalProperties *JSONSchema            `json:"additionalProperties,omitzero"`
	Not                  *JSONSchema            `json:"not,omitzero"`
	ContentEncoding      string                 `json:"contentEncoding,omitzero"`
	Format               string                 `json:"format,omitzero"`
}

// keywords is a JSONSchema without its methods, so that the JSON package writes and reads it by its tags.
type keywords JSONSchema

// clone copies the schema and the schemas within it. They share their JSON values.
func (s *JSONSchema) clone() *JSONSchema {
	if s == nil {
		return nil
	}
	c := *s
	for _, within := range []**JSONSchema{&c.Items, &c.AdditionalProperties, &c.Not} {
		*within = (*within).clone()
	}
	for _, within := range []*map[string]*JSONSchema{&c.Properties, &c.Defs} {
		*within = maps.Clone(*within)
		for name, s := range *within {
			(*within)[name] = s.clone()
		}
	}
	return &c
}

// writtenSchema is a JSONSchema in the form in which it is written as JSON.
type writtenSchema struct {
	Kind    jsontext.Value `json:"type,omitzero"`
	Members jsontext.Value `json:"properties,omitzero"`
	keywords
}

// MarshalJSON writes the schema.
func (s *JSONSchema) MarshalJSON() ([]byte, error) {
	w := writtenSchema{keywords: keywords(*s)}
	var err error
	switch {
	case s.Type != "":
		w.Kind, err = json.Marshal(s.Type)
	case s.Types != nil:
		w.Kind, err = json.Marshal(s.Types)
	}
	if err == nil && s.Properties != nil {
		w.Members, err = s.writeProperties()
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(&w)
	switch string(text) {
	case "{}":
		return []byte("true"), nil
	case `{"not":true}`:
		return []byte("false"), nil
	}
	return text, err
}

// writeProperties writes the object of the properties, in their order.
func (s *JSONSchema) writeProperties() ([]byte, error) {
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(s.Properties)), func(name string) bool {
		return slices.Contains(s.PropertyOrder, name)
	})
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	err := e.WriteToken(jsontext.BeginObject)
	for _, name := range slices.Concat(s.PropertyOrder, rest) {
		if err == nil {
			err = e.WriteToken(jsontext.String(name))
		}
		if err == nil {
			err = json.MarshalEncode(e, s.Properties[name])
		}
	}
	if err == nil {
		err = e.WriteToken(jsontext.EndObject)
	}
	return bytes.TrimSpace(out.Bytes()), err
}

// UnmarshalJSON reads a schema. It ignores keywords that JSONSchema does not have, and the order
// of the properties.
func (s *JSONSchema) UnmarshalJSON(text []byte) error {
	*s = JSONSchema{}
	switch string(text) {
	case "true":
		return nil
	case "false":
		s.Not = &JSONSchema{}
		return nil
	}
	var w struct {
		Kind    jsontext.Value         `json:"type"`
		Members map[string]*JSONSchema `json:"properties"`
		keywords
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*s = JSONSchema(w.keywords)
	s.Properties = w.Members
	switch w.Kind.Kind() {
	case 0:
		return nil
	case '[':
		return json.Unmarshal(w.Kind, &s.Types)
	}
	return json.Unmarshal(w.Kind, &s.Type)
}
