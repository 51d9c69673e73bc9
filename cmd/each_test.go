package cmd

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestPlacesOfATemplate holds what GNU parallel 20221122 makes of the same lines.
func TestPlacesOfATemplate(t *testing.T) {
	template, err := parseTemplate("echo {} {.} {/} {//} {/.} {#}")
	require.NoError(t, err)
	for line, want := range map[string][]string{
		"a/b.c/d.tar.gz": {"a/b.c/d.tar.gz", "a/b.c/d.tar", "d.tar.gz", "a/b.c", "d.tar", "7"},
		"file":           {"file", "file", "file", ".", "file", "7"},
		".bashrc":        {".bashrc", "", ".bashrc", ".", "", "7"},
		"dir/":           {"dir/", "dir/", "", ".", "", "7"},
		"a.b/c":          {"a.b/c", "a.b/c", "c", "a.b", "c", "7"},
		"x.":             {"x.", "x.", "x.", ".", "x.", "7"},
		"/root":          {"/root", "/root", "root", "/", "root", "7"},
		"a b;c":          {"a b;c", "a b;c", "a b;c", ".", "a b;c", "7"},
	} {
		require.Equal(t, append([]string{"echo"}, want...), template.argv(line, 7), line)
	}
}

func TestCommandsOfATemplate(t *testing.T) {
	for text, want := range map[string][]string{
		"test -f":               {"test", "-f", "a'b c.txt"}, // the line at the end
		"cp  {}\t{}.bak":        {"sh", "-c", "cp  \"$1\"\t\"$1\".bak", "sh", "a'b c.txt"},
		"cp {} {}.bak":          {"cp", "a'b c.txt", "a'b c.txt.bak"},
		"echo {x} {":            {"echo", "{x}", "{", "a'b c.txt"},
		"wc <{}":                {"sh", "-c", `wc <"$1"`, "sh", "a'b c.txt"},
		`echo "{}"`:             {"sh", "-c", `echo "${1}"`, "sh", "a'b c.txt"},
		`echo '{}'`:             {"sh", "-c", `echo ''"$1"''`, "sh", "a'b c.txt"},
		`sh -c 'wc "$1"' sh {}`: {"sh", "-c", `sh -c 'wc "$1"' sh "$1"`, "sh", "a'b c.txt"},
		"A=1 env":               {"sh", "-c", `A=1 env "$1"`, "sh", "a'b c.txt"},
		"make CC={} all":        {"make", "CC=a'b c.txt", "all"},
		`awk "{print}" {/}`:     {"sh", "-c", `awk "{print}" "$1"`, "sh", "a'b c.txt"},
		"rm -- {} && echo {#}":  {"sh", "-c", `rm -- "$1" && echo "$2"`, "sh", "a'b c.txt", "3"},
	} {
		template, err := parseTemplate(text)
		require.NoError(t, err, text)
		require.Equal(t, want, template.argv("a'b c.txt", 3), text)
	}
	for text, want := range map[string]string{
		" ":               "it is empty; write a command, as 'convert {} {}.png'",
		`echo "{}`:        "its quote \" does not end",
		"echo 'a' {} '":   "its quote ' does not end",
		"sh -c 'echo {}'": "its {} is a part of the program of sh -c, which would run what is in a line; leave out sh -c: the template is read by a shell already",
		`cd /tmp && /bin/bash -euo pipefail -c "wc {.}"`: "its {.} is a part of the program of bash -c, which would run what is in a line; leave out bash -c: the template is read by a shell already",
		"sh -c {}": "its {} is a part of the program of sh -c, which would run what is in a line; leave out sh -c: the template is read by a shell already",
	} {
		_, err := parseTemplate(text)
		require.EqualError(t, err, want, text)
	}
}

// TestAShellReadsTheLineAsItIs: whatever is in a line, and in whatever quotes its
// place stands, the command gets it as one word.
func TestAShellReadsTheLineAsItIs(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringOfN(rapid.RuneFrom([]rune("ab é\\\"'$`!&|;<>(){}*?[]#~=%-.\t")), 0, 20, -1).Draw(t, "line")
		template, err := parseTemplate(`printf '%s\n' {} "{}" '{}' x"{}"y "$(printf %s. "{}")" "$(printf %s. '{}' $(echo "a)" '('))"`)
		require.NoError(t, err)
		argv := template.argv(line, 1)
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		require.NoError(t, err)
		require.Equal(t, strings.Join([]string{line, line, line, "x" + line + "y", line + ".", line + ".a).(.", ""}, "\n"), string(out))
	})
}

// TestNothingOfALineIsACommand: wherever its place stands, also where no quotes help.
func TestNothingOfALineIsACommand(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	for _, text := range []string{
		`echo "$(basename "{}")"`, `echo "$(basename '{}')"`, "echo `basename {}`", "echo \"`basename '{}'`\"", "cat <<E\n{}\nE", "true # {}", `echo $'{}'`,
		`echo "${A:-"{}"}"`, `echo "${A:-'{}'}"`,
	} {
		template, err := parseTemplate(text)
		require.NoError(t, err, text)
		for _, line := range []string{
			"$(echo ran >&2)", "`echo ran >&2`", "'; echo ran >&2; echo '", `"; echo ran >&2; echo "`, "a\necho ran >&2 #", `\'; echo ran >&2; '`,
		} {
			argv := template.argv(line, 1)
			var stderr strings.Builder
			command := exec.Command(argv[0], argv[1:]...)
			command.Stderr = &stderr
			_ = command.Run() // where the shell finds a fault, it runs nothing
			require.NotRegexp(t, "(?m)^ran$", stderr.String(), "%s with %s", text, line)
		}
	}
}
