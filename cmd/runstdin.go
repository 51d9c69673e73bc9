package cmd

import (
	"os"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stdinFlags are the flags that say what a command of exec reads.
type stdinFlags struct {
	command string // the command that has the flags, for messages
	from    string // - or @FILE
	none    bool
}

// apply decides what the command of a task reads. It answers a file to share with
// the command, or an input with a member stdin, or neither. A shared file is not
// read here: bytes that the command does not read stay in it, and it need not end.
func (s stdinFlags) apply(input jsontext.Value, inputIsStdin, isExec bool) (*os.File, jsontext.Value, error) {
	switch {
	case s.from == "" && (s.none || !isExec || hasMember(input, "stdin") || inputIsStdin || !canShare(os.Stdin)):
		return nil, input, nil
	case s.from == "":
		return os.Stdin, input, nil
	case s.none:
		return nil, nil, s.usagef("--stdin and --no-stdin: give one of them")
	}
	f, err := s.open(input, inputIsStdin, isExec)
	if err != nil {
		return nil, nil, err
	}
	if canShare(f) {
		return f, input, nil
	}
	input, err = s.asMember(f, input)
	return nil, input, err
}

// asMember reads a file to its end, closes it, and makes it the member stdin of an
// input.
func (s stdinFlags) asMember(f *os.File, input jsontext.Value) (jsontext.Value, error) {
	if f != os.Stdin {
		defer f.Close()
	}
	text, err := readBounded(s.command, "--stdin", f)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, s.usagef("--stdin: a command is given text here, and this is not UTF-8; let it open the file itself")
	}
	return setMember(input, []string{"stdin"}, quotedJSON(string(text)))
}

// usagef is an error of the command that has the flags.
func (s stdinFlags) usagef(format string, args ...any) error {
	return usagef(s.command+": "+format, args...)
}

// open opens the file that --stdin names for an input.
func (s stdinFlags) open(input jsontext.Value, inputIsStdin, isExec bool) (*os.File, error) {
	name, isFile := strings.CutPrefix(s.from, "@")
	switch {
	case !isExec:
		return nil, s.usagef("--stdin is for exec; --input and --set give other types theirs")
	case hasMember(input, "stdin"):
		return nil, s.usagef("--stdin and the member stdin of the input: give one of them")
	case s.from == "-" && inputIsStdin:
		return nil, s.usagef("--input - and --stdin - both want stdin: give one of them a file, as @FILE")
	case s.from == "-":
		return os.Stdin, nil
	case !isFile:
		return nil, s.usagef("--stdin %q: want - or @FILE; text is given as --set stdin=TEXT", s.from)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, s.usagef("--stdin: %v", err)
	}
	return f, nil
}

// hasMember says whether a JSON object has a member.
func hasMember(object jsontext.Value, name string) bool {
	var members map[string]jsontext.Value
	return json.Unmarshal(object, &members) == nil && members[name] != nil
}
