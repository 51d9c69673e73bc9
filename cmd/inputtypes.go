package cmd

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/schema"
)

// inputSchema is the schema of a task type's input, for --set and completion. Nil
// means that the type is not known here; the server says whether that is an error.
type inputSchema = schema.JSONSchema

// inputSchemaOf is the input schema of a type, by name or alias.
func (p *Program) inputSchemaOf(name string) *inputSchema {
	infos, err := p.typeInfos([]string{name})
	if err != nil {
		return nil
	}
	var s inputSchema
	if json.Unmarshal(infos[0].InputSchema, &s) != nil {
		return nil
	}
	return &s
}

// memberOf is the schema of a member within an object of schema s, at the end
// of a path.
func memberOf(s *inputSchema, path []string) *inputSchema {
	root := s
	for _, name := range path {
		if s = resolve(root, s); s == nil {
			return nil
		}
		if member := s.Properties[name]; member != nil {
			s = member
		} else {
			s = s.AdditionalProperties
		}
	}
	return resolve(root, s)
}

// resolve follows a reference to a definition of the schema.
func resolve(root, s *inputSchema) *inputSchema {
	for range 10 { // references that lead in a circle lead nowhere
		if s == nil || s.Ref == "" {
			return s
		}
		name, ok := strings.CutPrefix(s.Ref, "#/$defs/")
		if !ok {
			return nil
		}
		s = root.Defs[name]
	}
	return nil
}

// kindsOf are the types that a schema allows; none where it does not say.
func kindsOf(s *inputSchema) []string {
	switch {
	case s == nil:
		return nil
	case s.Type != "":
		return []string{s.Type}
	}
	return s.Types
}

// typedJSON is text as a value that fits the schema: the text itself where it is
// JSON of an allowed type, or else a string where a string is allowed. So 5 is a
// number for durationMs and a string for a variable of the environment. Without a
// schema every text that is JSON is taken as JSON.
func typedJSON(s *inputSchema, text string) jsontext.Value {
	kinds := kindsOf(s)
	if slices.Contains(kinds, "string") && !slices.ContainsFunc(kinds, func(kind string) bool { return isOfType(text, kind) }) {
		return quotedJSON(text)
	}
	return looseJSON(text)
}

// isOfType says whether text is JSON of a type of JSON Schema.
func isOfType(text, kind string) bool {
	value := jsontext.Value(text)
	if !value.IsValid() {
		return false
	}
	switch value.Kind() {
	case 'n':
		return kind == "null"
	case 't', 'f':
		return kind == "boolean"
	case '"':
		return kind == "string"
	case '0':
		return kind == "number" || kind == "integer"
	case '{':
		return kind == "object"
	case '[':
		return kind == "array"
	}
	return false
}
