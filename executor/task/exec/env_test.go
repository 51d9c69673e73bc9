//go:build unix

package exec

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestEnviron(t *testing.T) {
	t.Setenv("LC_TEST", "c")
	t.Setenv("OURS", "1")
	t.Setenv("OTHER", "2")
	t.Setenv("PWD", "/here")
	t.Setenv(taskVar, "outer")
	t.Setenv(serverVar, "outer")
	t.Setenv("JOBLINE_STORE", "/outer.db")
	markers := mark{key: "s.t", task: taskVar + "=t", server: serverVar + "=s"}
	tests := map[string]struct {
		allow  []string
		in     Input
		dir    string
		has    []string
		hasNot []string
	}{
		"all of it":              {has: []string{"LC_TEST=c", "OURS=1", "OTHER=2", "PWD=/here"}},
		"given":                  {in: Input{Env: env("OURS", "x", "NEW", "")}, has: []string{"OURS=x", "NEW=", "OTHER=2"}, hasNot: []string{"OURS=1"}},
		"removed":                {in: Input{Env: map[string]*string{"OURS": nil, "NONE": nil}}, hasNot: []string{"OURS=1", "OURS=", "NONE="}},
		"clean":                  {in: Input{CleanEnv: true, Env: env("NEW", "x")}, has: []string{"LC_TEST=c", "NEW=x"}, hasNot: []string{"OURS=1", "OTHER=2"}},
		"allowed":                {allow: []string{"OURS", "LC_*"}, in: Input{Env: env("NEW", "x")}, has: []string{"LC_TEST=c", "OURS=1", "NEW=x"}, hasNot: []string{"OTHER=2", "PWD=/here"}},
		"nothing":                {allow: []string{}, hasNot: []string{"LC_TEST=c", "OURS=1", "OTHER=2"}},
		"both":                   {allow: []string{"OURS"}, in: Input{CleanEnv: true}, hasNot: []string{"OURS=1", "LC_TEST=c"}},
		"markers":                {in: Input{Env: env(taskVar, "forged", serverVar, "forged")}, hasNot: []string{taskVar + "=forged", serverVar + "=outer"}},
		"settings":               {hasNot: []string{"JOBLINE_STORE=/outer.db", taskVar + "=outer"}},
		"a setting":              {in: Input{Env: env("JOBLINE_STORE", "/inner.db")}, has: []string{"JOBLINE_STORE=/inner.db"}},
		"allowed, but a setting": {allow: []string{"*"}, has: []string{"OURS=1"}, hasNot: []string{"JOBLINE_STORE=/outer.db"}},
		"no marker":              {in: Input{Env: map[string]*string{taskVar: nil}}},
		"directory":              {dir: "/there", has: []string{"PWD=/there"}, hasNot: []string{"PWD=/here"}},
		"its PWD":                {dir: "/there", in: Input{Env: env("PWD", "/x")}, has: []string{"PWD=/x"}, hasNot: []string{"PWD=/there"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCommand(t, Options{EnvAllow: test.allow})
			got, err := c.environ(&test.in, markers, test.dir)
			require.NoError(t, err)
			require.Subset(t, got, append(test.has, markers.task, markers.server))
			for _, not := range test.hasNot {
				require.NotContains(t, got, not)
			}
			names := map[string]int{}
			for _, v := range got {
				names[nameOf(v)]++
			}
			require.Equal(t, 1, slices.Max(slices.Collect(maps.Values(names))), "a name twice: %q", got)
		})
	}
}

// newCommand makes a Command that the machine's speed does not matter to.
func newCommand(t testing.TB, o Options) *Runner {
	c, err := New(o)
	require.NoError(t, err)
	c.launcher.timeouts = timeouts{killWait: time.Minute, lookWait: time.Minute}
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// env makes a map of names and values.
func env(pairs ...string) map[string]*string {
	m := map[string]*string{}
	for pair := range slices.Chunk(pairs, 2) {
		m[pair[0]] = &pair[1]
	}
	return m
}

func TestNameOf(t *testing.T) {
	for variable, want := range map[string]string{
		"A=b": "A", "A=": "A", "A=b=c": "A", "=C:=x": "=C:", "A": "A", "": "",
	} {
		require.Equal(t, want, nameOf(variable), variable)
	}
}

func TestShow(t *testing.T) {
	for arg, want := range map[string]string{
		"/usr/bin/make": "/usr/bin/make", "a b": "a b", "a\x1b[31m\n": "a\uFFFD[31m\uFFFD", "a\xff": "a\uFFFD",
		strings.Repeat("x", 200): strings.Repeat("x", maxName),
	} {
		require.Equal(t, want, printable(arg, maxName))
	}
}

// TestOuterKeys: a server within another's command passes on what marks it, and
// nothing else.
func TestOuterKeys(t *testing.T) {
	key := newServerID() + "." + uuid.NewString()
	two := key + "/" + newServerID() + "." + uuid.NewString()
	for value, want := range map[string]string{
		key: key + "/", two: two + "/",
		"": "", "outer": "", key + "/x": "", "/" + key: "", key + "\x00": "",
		strings.Repeat(key+"/", 100) + key: "",
	} {
		require.Equal(t, want, outerKeysOf(value), "%q", value)
	}
	t.Setenv(serverVar, two)
	inner := newCommand(t, Options{}).mark("t")
	require.Equal(t, serverVar+"="+two+"/"+inner.key, inner.server)
}

func TestHiddenByDefault(t *testing.T) {
	for _, name := range []string{"TOKEN", "api_Token_2", "SSH_KEY", "a/TOKEN", "npm_config_//registry.example/:_authToken", "//PASSWORD//"} {
		require.True(t, HiddenByDefault(name), name)
	}
	for _, name := range []string{"", "PATH", "TO/KEN", "T\x00OKEN"} {
		require.False(t, HiddenByDefault(name), name)
	}
}
