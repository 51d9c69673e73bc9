package schema

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// TestJSONSchemaIsReadAsItIsWritten: what a program reads of a schema is what
// was written, but for the order of its properties.
func TestJSONSchemaIsReadAsItIsWritten(t *testing.T) {
	for _, text := range []string{
		`true`,
		`false`,
		`{"type":"string","$schema":"x","title":"a","description":"<b> & c","enum":["d",null],"minLength":1,"maxLength":2,"pattern":"^d$","format":"e"}`,
		`{"type":["array","null"],"items":{"type":"integer","minimum":-1.5,"maximum":1e+30},"minItems":0,"maxItems":3}`,
		`{"type":"object","properties":{"a":true,"b":{"$ref":"#/$defs/c"}},"$defs":{"c":false},"default":{},"maxProperties":4,"required":["a"],"additionalProperties":false}`,
		`{"properties":{},"not":{"contentEncoding":"base64"}}`,
	} {
		var s JSONSchema
		require.NoError(t, json.Unmarshal([]byte(text), &s), text)
		written, err := json.Marshal(&s)
		require.NoError(t, err)
		require.Equal(t, text, string(written))
		copied, err := json.Marshal(s.clone())
		require.NoError(t, err)
		require.Equal(t, text, string(copied))
	}
	var s JSONSchema
	require.NoError(t, json.Unmarshal([]byte(`{"unknown":1,"type":"null"}`), &s))
	require.Equal(t, JSONSchema{Type: "null"}, s)
	for _, text := range []string{`1`, `{"type":1}`, `{"properties":[]}`, `{"minimum":"a"}`} {
		require.Error(t, json.Unmarshal([]byte(text), &s), text)
	}
}

func TestJSONSchemaKeepsTheOrderOfItsProperties(t *testing.T) {
	s := &JSONSchema{Properties: map[string]*JSONSchema{"a": {}, "b": {Type: "string"}, "c": {}, "d": {}}, PropertyOrder: []string{"d", "b"}}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Equal(t, `{"properties":{"d":true,"b":{"type":"string"},"a":true,"c":true}}`, string(text))
}

func TestACloneOfASchemaIsItsOwn(t *testing.T) {
	s := &JSONSchema{Items: &JSONSchema{Properties: map[string]*JSONSchema{"a": {Type: "string"}}}}
	s.clone().Items.Properties["a"].Type = "null"
	s.clone().Items.Properties["b"] = &JSONSchema{}
	require.Equal(t, &JSONSchema{Items: &JSONSchema{Properties: map[string]*JSONSchema{"a": {Type: "string"}}}}, s)
}
