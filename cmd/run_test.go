package cmd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc/stdio"
	"github.com/jobline/jobline/schema"
)

func TestInput(t *testing.T) {
	for _, c := range []struct {
		name string
		in   inputFlags
		want string
	}{
		{"none", inputFlags{}, `{}`},
		{"JSON", inputFlags{input: ` {"a" : [1, 1.50] } `}, `{"a":[1,1.50]}`},
		{"stdin", inputFlags{input: "-"}, `{"of":"stdin"}`},
		{"a number", inputFlags{set: []string{"a=1"}}, `{"a":1}`},
		{"a large number stays as it is", inputFlags{set: []string{"a=12345678901234567890"}}, `{"a":12345678901234567890}`},
		{"text", inputFlags{set: []string{"a=b c"}}, `{"a":"b c"}`},
		{"nothing is text", inputFlags{set: []string{"a="}}, `{"a":""}`},
		{"text that looks like JSON at first", inputFlags{set: []string{"a={x"}}, `{"a":"{x"}`},
		{"a number as text", inputFlags{set: []string{`a="1"`}}, `{"a":"1"}`},
		{"an object", inputFlags{set: []string{`a={"b":null}`}}, `{"a":{"b":null}}`},
		{"more signs", inputFlags{set: []string{"a=b=c"}}, `{"a":"b=c"}`},
		{"nested", inputFlags{set: []string{"a.b.c=1", "a.d=true"}}, `{"a":{"b":{"c":1},"d":true}}`},
		{"the last wins", inputFlags{input: `{"a":1}`, set: []string{"a=2", "a=3"}}, `{"a":3}`},
		{"argv", inputFlags{argv: []string{"ls", "-l", "a b"}}, `{"argv":["ls","-l","a b"]}`},
		{"empty argv", inputFlags{argv: []string{}}, `{"argv":[]}`},
		{"all", inputFlags{input: `{"dir":"/"}`, set: []string{"env.A=b"}, argv: []string{"env"}}, `{"argv":["env"],"dir":"/","env":{"A":"b"}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.in.build(strings.NewReader(`{"of":"stdin"}`))
			require.NoError(t, err)
			require.Equal(t, c.want, string(got))
		})
	}
}

func TestBadInput(t *testing.T) {
	for name, in := range map[string]inputFlags{
		"not JSON":            {input: "{"},
		"two values":          {input: "{} {}"},
		"a name twice":        {input: `{"a":1,"a":2}`},
		"not UTF-8":           {input: "\"\xff\""},
		"a key not UTF-8":     {set: []string{"\xff=1"}},
		"no such file":        {input: "@/nowhere/at/all"},
		"no value":            {set: []string{"a"}},
		"no key":              {set: []string{"=1"}},
		"a member of a text":  {input: `{"a":"b"}`, set: []string{"a.c=1"}},
		"a member of a list":  {input: "[]", set: []string{"a=1"}},
		"argv beside no JSON": {input: "1", argv: []string{"ls"}},
		"argv is not UTF-8":   {argv: []string{"\xff"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := in.build(strings.NewReader(""))
			require.ErrorAs(t, err, new(*usageError))
			require.NotContains(t, err.Error(), "\n")
			require.NotContains(t, err.Error(), "jsontext")
		})
	}
}

func TestWhereInputIsBad(t *testing.T) {
	for input, want := range map[string]string{
		`{bad`:          `run: --input is not JSON: invalid character 'b' at start of string (expecting '"'), after 1 byte`,
		`{"a":`:         `run: --input is not JSON: unexpected EOF, after 5 bytes`,
		`{"a":1,"a":2}`: `run: --input is not JSON: the member "a" is there twice`,
	} {
		_, err := inputFlags{command: "run", input: input}.build(nil)
		require.EqualError(t, err, want)
	}
}

// TestValuesByType: what a --set means is for the schema to say.
func TestValuesByType(t *testing.T) {
	of := func(kinds ...string) *inputSchema { return &inputSchema{Types: kinds} }
	for _, c := range []struct {
		name   string
		schema *inputSchema
		text   string
		want   string
	}{
		{"a number", of("integer"), "5", `5`},
		{"a number for a string", of("string"), "5", `"5"`},
		{"a boolean for a string", of("string", "null"), "true", `"true"`},
		{"an object for a string", of("string"), `{"a":1}`, `"{\"a\":1}"`},
		{"null where it may be", of("null", "string"), "null", `null`},
		{"null for a string", of("string"), "null", `"null"`},
		{"a string as JSON", of("string"), `"5"`, `"5"`},
		{"a number or a string", of("number", "string"), "5", `5`},
		{"a word for a number", of("integer"), "soon", `"soon"`}, // which the server refuses
		{"no JSON", of("string"), "it's", `"it's"`},
		{"any type", &inputSchema{}, "5", `5`},
		{"an unknown type", nil, "5", `5`},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, string(typedJSON(c.schema, c.text)))
		})
	}
}

func TestMemberOfASchema(t *testing.T) {
	leaf := &inputSchema{Type: "string"}
	root := &inputSchema{
		Properties: map[string]*inputSchema{
			"plain": leaf,
			"map":   {AdditionalProperties: leaf},
			"ref":   {Ref: "#/$defs/D"},
			"loop":  {Ref: "#/$defs/L"},
		},
		Defs: map[string]*inputSchema{"D": {Properties: map[string]*inputSchema{"in": leaf}}, "L": {Ref: "#/$defs/L"}},
	}
	for key, want := range map[string]*inputSchema{
		"plain": leaf, "map.any": leaf, "ref.in": leaf, "ref.out": nil, "none": nil, "plain.more": nil, "loop.x": nil, "none.more": nil,
	} {
		require.Equal(t, want, memberOf(root, strings.Split(key, ".")), key)
	}
	require.Nil(t, memberOf(nil, []string{"a"}))
}

func TestMillisecondsRoundUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000} {
		require.Equal(t, want, milliseconds(d))
	}
}

// The table of --help is that of the documentation, too.
func TestExitCodesInTheDocs(t *testing.T) {
	page := readText(t, "../docs/operations.md")
	for _, row := range slices.Concat(runCodes, manyCodes) {
		require.Contains(t, page, fmt.Sprintf("| %s | %s |\n", row.code, row.means))
	}
}

func TestExitCodeOfATask(t *testing.T) {
	for _, c := range []struct {
		err  schema.TaskError
		want exitCode
	}{
		{schema.TaskError{Kind: schema.KindExit, ExitCode: new(7)}, 7},
		{schema.TaskError{Kind: schema.KindExit}, stdio.ExitFault},
		{schema.TaskError{Kind: schema.KindSignal, Signal: "SIGKILL"}, 137},
		{schema.TaskError{Kind: schema.KindSignal, Signal: "SIGWHAT"}, stdio.ExitFault},
		{schema.TaskError{Kind: schema.KindTimeout, ExitCode: new(7)}, 124},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "ENOENT"}, 127},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EACCES"}, 126},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EAGAIN"}, 126},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EINVAL"}, 125},
		{schema.TaskError{Kind: schema.KindPanic}, stdio.ExitFault},
	} {
		require.Equal(t, c.want, codeOf(&c.err), "%+v", c.err)
	}
}
