package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/jsonschema-go/jsonschema"
)

// maxExactInteger is the greatest integer up to which every one is a float64,
// which is how the library holds limits.
const maxExactInteger = 1 << 53

// applyTag adds to the schema of a field what its tag schema:"key=value,…"
// says; Derive lists the keys.
func applyTag(s *jsonschema.Schema, tag string) error {
	if tag == "" {
		return nil
	}
	for option := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(option, "=")
		if err := applyOption(s, key, value); err != nil {
			return fmt.Errorf("tag schema:%q: %s: %w", tag, key, err)
		}
	}
	return nil
}

func applyOption(s *jsonschema.Schema, key, value string) error {
	leaf := elementOf(s)
	switch key {
	case "minimum":
		return setFloat(&leaf.Minimum, value)
	case "maximum":
		return setFloat(&leaf.Maximum, value)
	case "minLength":
		return setInt(&leaf.MinLength, value)
	case "maxLength":
		return setInt(&leaf.MaxLength, value)
	case "enum":
		leaf.Enum = enum(strings.Split(value, "|")...).Enum
	case "minItems":
		return setInt(&s.MinItems, value)
	case "maxItems":
		return setInt(&s.MaxItems, value)
	case "maxProperties":
		return setInt(&s.MaxProperties, value)
	case "default":
		if s.Type == "string" {
			value = strconv.Quote(value)
		}
		if !jsontext.Value(value).IsValid() {
			return fmt.Errorf("%s is not JSON", value)
		}
		s.Default = []byte(value)
	default:
		return fmt.Errorf("there is no such key")
	}
	return nil
}

// elementOf is the schema of the elements of a list or a map, or s itself.
func elementOf(s *jsonschema.Schema) *jsonschema.Schema {
	switch {
	case s.Items != nil:
		return elementOf(s.Items)
	case s.AdditionalProperties != nil && s.Properties == nil:
		return elementOf(s.AdditionalProperties)
	default:
		return s
	}
}

func setFloat(to **float64, value string) error {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", value)
	}
	if math.Abs(f) > maxExactInteger {
		return fmt.Errorf("%s is too large to be exact", value)
	}
	*to = &f
	return nil
}

func setInt(to **int, value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a count", value)
	}
	*to = &n
	return nil
}
