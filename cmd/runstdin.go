package cmd

import (
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stdinFlags are the flags that say what a command of exec reads.
type stdinFlags struct {
	command string // the command that has the flags, for messages
	from    string // - or @FILE
	none    bool
	// replayed is set where a task is tried again, or runs on another machine: each attempt reads the
	// same text from its beginning, so all of it is read before the submit.
	replayed bool
}

const (
	// maxReplayed bounds, in bytes, what is read for a task that may be tried again. It fits into one
	// message of the protocol.
	maxReplayed = 8 << 20
	// readPatience is how long stdin may take before it is said that its end is waited for.
	readPatience = 2 * time.Second
)

// apply decides what the command of a task reads. It answers a file to share with
// the command, or an input with a member stdin, or neither. A shared file is not
// read here: bytes that the command does not read stay in it, and it need not end. A text that
// each attempt of a task gets is read here, and say tells when that takes long.
func (s stdinFlags) apply(input jsontext.Value, inputIsStdin, isExec bool, say func(format string, args ...any)) (*os.File, jsontext.Value, error) {
	switch {
	case s.replayed && isExec && opensStdin(input):
		return nil, nil, s.usagef("openStdin is for input that comes while the command runs, and here all of it is read first, for another machine or another attempt; leave openStdin out")
	case s.from == "" && (s.none || !isExec || hasMember(input, "stdin") || inputIsStdin || !canShare(os.Stdin)):
		return nil, input, nil
	case s.from == "" && s.replayed:
		input, err := s.asReplayed(os.Stdin, input, say)
		return nil, input, err
	case s.from == "":
		return os.Stdin, input, nil
	case s.none:
		return nil, nil, s.usagef("--stdin and --no-stdin: give one of them")
	}
	f, err := s.open(input, inputIsStdin, isExec)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case s.replayed:
		input, err = s.asReplayed(f, input, say)
	case canShare(f):
		return f, input, nil
	default:
		input, err = s.asMember(f, input)
	}
	return nil, input, err
}

// asReplayed is asMember for a task that may be tried again.
func (s stdinFlags) asReplayed(f *os.File, input jsontext.Value, say func(format string, args ...any)) (jsontext.Value, error) {
	waiting := time.AfterFunc(readPatience, func() {
		say("it reads stdin to its end first, so that each attempt has all of it; --no-stdin lets the command read nothing")
	})
	defer waiting.Stop()
	return s.asMember(f, input)
}

// asMember reads a file to its end, closes it, and makes it the member stdin of an
// input.
func (s stdinFlags) asMember(f *os.File, input jsontext.Value) (jsontext.Value, error) {
	if f != os.Stdin {
		defer f.Close()
	}
	what, most := "--stdin", int64(maxInput)
	if s.replayed {
		what, most = "what each attempt reads from stdin", maxReplayed
	}
	text, err := readBounded(s.command, what, f, most)
	if err != nil {
		return nil, err
	}
	if !utf8.Valid(text) {
		return nil, s.usagef("%s is not UTF-8, and a command is given text here; let it open a file itself", what)
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

// opensStdin says whether an input of exec has the stdin of the command stay open, for the method input.
func opensStdin(input jsontext.Value) bool {
	var members struct {
		OpenStdin bool `json:"openStdin"`
	}
	return json.Unmarshal(input, &members) == nil && members.OpenStdin
}

// hasMember says whether a JSON object has a member.
func hasMember(object jsontext.Value, name string) bool {
	var members map[string]jsontext.Value
	return json.Unmarshal(object, &members) == nil && members[name] != nil
}
