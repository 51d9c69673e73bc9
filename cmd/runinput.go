package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/rpc/wire"
)

// maxInput bounds what is read of an input, in bytes.
const maxInput = 1 << 30

// inputFlags are the flags and arguments that make the input of a task.
type inputFlags struct {
	command string   // the command that has the flags, for messages
	input   string   // JSON, @file or -
	set     []string // key=value, the key with dots
	argv    []string // what comes after --
	// base is the input to which the flags add where none is given; {} where it is empty.
	base jsontext.Value
	// schema of the input, or nil: it says of what type the values of set are.
	schema *inputSchema
}

// build makes the input.
func (f inputFlags) build(stdin io.Reader) (jsontext.Value, error) {
	text, err := f.read(stdin)
	if err != nil {
		return nil, err
	}
	value := jsontext.Value(text)
	if err := value.Compact(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false)); err != nil {
		return nil, f.usagef("--input is not JSON: %v", withoutPackage(err))
	}
	for _, assignment := range f.set {
		key, text, ok := strings.Cut(assignment, "=")
		if !ok || key == "" {
			return nil, f.usagef("--set %q: want key=value", assignment)
		}
		path := strings.Split(key, ".")
		if value, err = setMember(value, path, typedJSON(memberOf(f.schema, path), text)); err != nil {
			return nil, f.usagef("--set %q: %v", assignment, withoutPackage(err))
		}
	}
	if f.argv == nil {
		return value, nil
	}
	argv, err := json.Marshal(f.argv)
	if err != nil {
		return nil, f.usagef("an argument after -- is not UTF-8")
	}
	if value, err = setMember(value, []string{"argv"}, argv); err != nil {
		return nil, f.usagef("what comes after -- is the member argv: %v", withoutPackage(err))
	}
	return value, nil
}

// withoutPackage is an error about JSON without the name of the package that found
// it.
func withoutPackage(err error) error {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return err
	case errors.Is(e.Err, jsontext.ErrDuplicateName):
		return fmt.Errorf("the member %q is there twice", e.JSONPointer.LastToken())
	}
	return fmt.Errorf("%w, after %s", e.Err, counted(e.ByteOffset, "byte"))
}

// read answers the JSON of --input, which may be in a file or on stdin.
func (f inputFlags) read(stdin io.Reader) ([]byte, error) {
	name, isFile := strings.CutPrefix(f.input, "@")
	switch {
	case f.input == "" && len(f.base) > 0:
		return slices.Clone(f.base), nil
	case f.input == "":
		return []byte("{}"), nil
	case f.input == "-":
		return readBounded(f.command, "--input", stdin, maxInput)
	case isFile:
		file, err := os.Open(name)
		if err != nil {
			return nil, f.usagef("--input: %v", err)
		}
		defer file.Close()
		return readBounded(f.command, "--input", file, maxInput)
	}
	return []byte(f.input), nil
}

// usagef is an error of the command that has the flags.
func (f inputFlags) usagef(format string, args ...any) error {
	return usagef(f.command+": "+format, args...)
}

// readBounded reads what a flag of a command names, at most so many bytes.
func readBounded(command, flag string, r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, usagef("%s: %s: %v", command, flag, err)
	}
	if int64(len(text)) > most {
		return nil, usagef("%s: %s has more than %s; put it into a file that the task reads", command, flag, formatSize(most))
	}
	return text, nil
}

// withOnePipe sets the member stderr of an input of exec to "stdout", unless it is
// set. Output that is shown in one place is then in the order of the writes.
func withOnePipe(input jsontext.Value) jsontext.Value {
	var members map[string]jsontext.Value
	if json.Unmarshal(input, &members) != nil || members["stderr"] != nil {
		return input // what is wrong with it, the server says better
	}
	both, err := setMember(input, []string{"stderr"}, jsontext.Value(`"stdout"`))
	if err != nil {
		return input
	}
	return both
}

// looseJSON is text as JSON, or as a JSON string where it is none.
func looseJSON(text string) jsontext.Value {
	value := jsontext.Value(text)
	if value.IsValid() {
		return value
	}
	return quotedJSON(text)
}

// quotedJSON is text as a JSON string.
func quotedJSON(text string) jsontext.Value {
	return wire.AppendString(nil, text)
}

// setMember sets a member of an object, or of objects within it, and makes
// those that are missing.
func setMember(object jsontext.Value, path []string, value jsontext.Value) (jsontext.Value, error) {
	if len(path) == 0 {
		return value, nil
	}
	if object.Kind() != '{' {
		return nil, fmt.Errorf("it cannot have a member %q, it is no object", path[0])
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(object, &members); err != nil {
		return nil, err
	}
	inner := members[path[0]]
	if inner == nil {
		inner = jsontext.Value("{}")
	}
	inner, err := setMember(inner, path[1:], value)
	if err != nil {
		return nil, err
	}
	members[path[0]] = inner
	return json.Marshal(members, json.Deterministic(true))
}
