package schema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// A tag that its field cannot follow, or that no value can satisfy, is told of
// when the schema is derived, not when every value is refused.
func TestTagRefuses(t *testing.T) {
	for want, err := range map[string]error{
		"no such key": refused(Derive[struct {
			N int `schema:"minimun=1"`
		}]()),
		`"one" is not a number`: refused(Derive[struct {
			N int `schema:"minimum=one"`
		}]()),
		"too large to be exact": refused(Derive[struct {
			N int `schema:"maximum=9223372036854775807"`
		}]()),
		`"-1" is not a count`: refused(Derive[struct {
			N []int `schema:"minItems=-1"`
		}]()),
		"a is not JSON": refused(Derive[struct {
			N int `schema:"default=a"`
		}]()),
		"field N: tag schema:\"enum=x|y\": enum: it is for string, and the field is integer: leave it out, or change the type of the field": refused(Derive[struct {
			N int `schema:"enum=x|y"`
		}]()),
		"minimum: it is for integer or number, and the field is string": refused(Derive[struct {
			S string `schema:"minimum=3"`
		}]()),
		"minLength: it is for string, and the field is any JSON": refused(Derive[struct {
			V jsontext.Value `schema:"minLength=3"`
		}]()),
		"enum: it is for string, and the field is object": refused(Derive[struct {
			S base `schema:"enum=a"`
		}]()),
		"maxLength: it is for string, and the field is object": refused(Derive[struct {
			S Empty `schema:"maxLength=3"`
		}]()),
		"minItems: it is for array, and the field is object": refused(Derive[struct {
			M map[string]int `schema:"minItems=3"`
		}]()),
		"enum: it has no names": refused(Derive[struct {
			S string `schema:"enum"`
		}]()),
		`"stdin" is none of the names`: refused(Derive[struct {
			S Stream `schema:"enum=stdin"`
		}]()),
		`the name "a" is no value of the field: got 1, want at least 2 characters`: refused(Derive[struct {
			S string `schema:"enum=a,minLength=2"`
		}]()),
		"300 is more than 127": refused(Derive[struct {
			N int8 `schema:"maximum=300"`
		}]()),
		"-1 is less than 0": refused(Derive[struct {
			N uint `schema:"minimum=-1"`
		}]()),
		"1 is less than 8": refused(Derive[struct {
			B [4]byte `schema:"minLength=1"`
		}]()),
		`"NaN" is not a number`: refused(Derive[struct {
			F float64 `schema:"minimum=NaN"`
		}]()),
		"at least 3 and at most 2: change": refused(Derive[struct {
			N int `schema:"minimum=3,maximum=2"`
		}]()),
		"at least 3 and at most 2 characters": refused(Derive[struct {
			S string `schema:"minLength=3,maxLength=2"`
		}]()),
		"at least 3 and at most 2 elements": refused(Derive[struct {
			L []int `schema:"minItems=3,maxItems=2"`
		}]()),
		"the default 5 is no value of the field: got 5, want at most 4": refused(Derive[struct {
			N int `schema:"default=5,maximum=4"`
		}]()),
		`the default "c" is no value of the field: got "c", want one of "a", "b"`: refused(Derive[struct {
			S string `schema:"default=c,enum=a|b"`
		}]()),
		"known are default, enum, maxItems, maxLength, maxProperties, maximum, minItems, minLength, minimum": refused(Derive[struct {
			S string `schema:"pattern=a"`
		}]()),
	} {
		require.ErrorContains(t, err, want, want)
	}
}

// What a limit may just be, and what it is then.
func TestTagBounds(t *testing.T) {
	s := mustDerive[struct {
		Least  int8        `schema:"minimum=-128,maximum=127"`
		Exact  int         `schema:"minimum=3,maximum=3"`
		Length string      `schema:"minLength=2,maxLength=2"`
		Items  []int       `schema:"minItems=1,maxItems=1"`
		Large  int         `schema:"minimum=-9007199254740992,maximum=9007199254740992"`
		Deep   [][]float64 `schema:"minimum=0.5"`
	}](t)
	value := `{"Least":-128,"Exact":3,"Length":"ab","Items":[1],"Large":9007199254740992,"Deep":[[0.5]]}`
	require.Nil(t, s.Validate(jsontext.Value(value)))
	value = `{"Least":128,"Exact":2,"Length":"a","Items":[],"Large":9007199254740993,"Deep":[[0.4]]}`
	require.Equal(t, []Violation{
		{"/Least", "got 128, want at most 127"}, {"/Exact", "got 2, want at least 3"}, {"/Length", "got 1, want at least 2 characters"},
		{"/Items", "got 0, want at least 1 element"}, {"/Large", "got 9007199254740993, want at most 9007199254740992"},
		{"/Deep/0/0", "got 0.4, want at least 0.5"},
	}, s.Validate(jsontext.Value(value)))
}

// The keys are listed where a program's author looks for them.
func TestTagKeysAreDocumented(t *testing.T) {
	for path, name := range map[string]string{"schema.go": "Derive", "../executor/define.go": "Define"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		require.NoError(t, err)
		f, ok := file.Scope.Lookup(name).Decl.(*ast.FuncDecl)
		require.True(t, ok)
		for key := range tagKeys {
			require.Regexp(t, `\b`+key+`\b`, f.Doc.Text(), name)
		}
	}
}
