package cmd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
		_, err := inputFlags{input: input}.build(nil)
		require.EqualError(t, err, want)
	}
}

// TestCures: only a --set whose value was not meant as it looks has one.
func TestCures(t *testing.T) {
	const wants = "got number, want string or null"
	for _, c := range []struct {
		name             string
		set              []string
		pointer, message string
		want             string
	}{
		{"a number", []string{"env.A=1"}, "/env/A", wants, ` (a string is --set 'env.A="1"')`},
		{"a boolean", []string{"dir=true"}, "/dir", "got boolean, want string", ` (a string is --set 'dir="true"')`},
		{"null", []string{"dir= null "}, "/dir", "got null, want string", ` (a string is --set 'dir="null"')`},
		{"the last of two", []string{"a=1", "b=2", "a=3"}, "/a", wants, ` (a string is --set 'a="3"')`},
		{"signs of pointers", []string{"a~/b=1"}, "/a~0~1b", wants, ` (a string is --set 'a~/b="1"')`},
		{"signs of shells", []string{"it's=1"}, "/it's", wants, ` (a string is --set 'it'\''s="1"')`},
		{"no string is wanted", []string{"a=1"}, "/a", "got number, want boolean", ""},
		{"another complaint", []string{"a=1"}, "/a", "unknown member", ""},
		{"another member", []string{"a=1"}, "/b", wants, ""},
		{"an object", []string{"a={}"}, "/a", "got object, want string", ""},
		{"replaced by an object", []string{"a=1", "a={}"}, "/a", "got object, want string", ""},
		{"no --set", nil, "/a", wants, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, inputFlags{set: c.set}.cure(schema.Violation{Pointer: c.pointer, Message: c.message}))
		})
	}
}

func TestMillisecondsRoundUp(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000} {
		require.Equal(t, want, milliseconds(d))
	}
}

// The table of --help is that of the documentation, too.
func TestExitCodesInTheDocs(t *testing.T) {
	page := readText(t, "../docs/operations.md")
	for _, row := range runCodes {
		require.Contains(t, page, fmt.Sprintf("| %s | %s |\n", row.code, row.means))
	}
}

func TestExitCodeOfATask(t *testing.T) {
	for _, c := range []struct {
		err  schema.TaskError
		want exitCode
	}{
		{schema.TaskError{Kind: schema.KindExit, ExitCode: new(7)}, 7},
		{schema.TaskError{Kind: schema.KindExit}, exitFault},
		{schema.TaskError{Kind: schema.KindSignal, Signal: "SIGKILL"}, 137},
		{schema.TaskError{Kind: schema.KindSignal, Signal: "SIGWHAT"}, exitFault},
		{schema.TaskError{Kind: schema.KindTimeout, ExitCode: new(7)}, 124},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "ENOENT"}, 127},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EACCES"}, 126},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EAGAIN"}, 126},
		{schema.TaskError{Kind: schema.KindSpawn, Errno: "EINVAL"}, 125},
		{schema.TaskError{Kind: schema.KindPanic}, exitFault},
	} {
		require.Equal(t, c.want, codeOf(&c.err), "%+v", c.err)
	}
}
