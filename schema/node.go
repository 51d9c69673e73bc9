package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// node is a schema compiled for validation. It has only the keywords that Derive writes. A nil
// node accepts every value.
type node struct {
	kinds string // of the values to take, as jsonscan.Scanner.Kind tells them
	want  string // the types, in words

	members  map[string]member
	names    []string // of members, in order
	required []string
	closed   bool  // no members but these
	others   *node // of all other members
	maxProps int

	optional           bool // the member that it is of can be left out
	items              *node
	minItems, maxItems int

	integer              bool
	limits               []limit
	floatBits            int // 0 is no float
	minLength, maxLength int
	enum                 []string
	format               string
	reads                func(text []byte) (want string) // what the keywords do not tell
}

type member struct {
	*node
	index int
}

// limit is a bound on a number.
type limit struct {
	at      decimal
	upper   bool
	message string
}

var kindsOf = map[string]string{
	"null": "n", "boolean": "tf", "string": `"`, "number": "0", "integer": "0", "object": "{", "array": "[",
}

// compile makes the node of a derived schema.
func (d *deriver) compile(s *JSONSchema) *node {
	types := s.Types
	if s.Type != "" {
		types = []string{s.Type}
	}
	if types == nil {
		return nil
	}
	n := &node{
		want:     strings.Join(types, " or "),
		integer:  slices.Contains(types, "integer"),
		minItems: orElse(s.MinItems, 0), maxItems: orElse(s.MaxItems, math.MaxInt),
		minLength: orElse(s.MinLength, 0), maxLength: orElse(s.MaxLength, math.MaxInt),
		maxProps: orElse(s.MaxProperties, math.MaxInt), required: s.Required, format: s.Format,
		reads: d.reads[s],
	}
	for _, t := range types {
		n.kinds += kindsOf[t]
	}
	if s.ContentEncoding != "" {
		n.format = s.ContentEncoding
	}
	for _, v := range s.Enum {
		if name, ok := v.(string); ok { // a null is of the types
			n.enum = append(n.enum, name)
		}
	}
	n.compileNumber(s)
	d.compileElements(n, s)
	return n
}

func orElse(n *int, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return *n
}

func (d *deriver) compileElements(n *node, s *JSONSchema) {
	if s.Items != nil {
		n.items = d.compile(s.Items)
	}
	if a := s.AdditionalProperties; a != nil && a.Not != nil {
		n.closed = true
	} else if a != nil {
		n.others = d.compile(a)
	}
	n.members = make(map[string]member, len(s.Properties))
	for _, name := range s.PropertyOrder {
		m := d.compile(s.Properties[name])
		if m != nil {
			m.optional = !slices.Contains(s.Required, name)
		}
		n.members[name] = member{m, len(n.names)}
		n.names = append(n.names, name)
	}
}

func (n *node) compileNumber(s *JSONSchema) {
	add := func(upper bool, at, message string) {
		n.limits = append(n.limits, limit{parseDecimal([]byte(at)), upper, message})
	}
	if s.Minimum != nil {
		at := strconv.FormatFloat(*s.Minimum, 'f', -1, 64)
		add(false, at, "want at least "+at)
	}
	if s.Maximum != nil {
		at := strconv.FormatFloat(*s.Maximum, 'f', -1, 64)
		add(true, at, "want at most "+at)
	}
	switch n.format {
	case formatInt64:
		add(false, fmt.Sprint(int64(math.MinInt64)), tooWide)
		add(true, fmt.Sprint(int64(math.MaxInt64)), tooWide)
	case formatUint64:
		add(true, fmt.Sprint(uint64(math.MaxUint64)), tooWide)
	case formatFloat:
		n.floatBits = 32
	case formatDouble:
		n.floatBits = 64
	}
}

const tooWide = "want an integer of at most 64 bits"
