package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// sourcedTask is a task that a line makes, or the error why it makes none.
type sourcedTask struct {
	line   int // its number, from 1
	place  int // among the tasks of the lines, from 0
	params schema.SubmitParams
	err    error
}

// taskSource yields tasks of lines, until the lines or the context end.
type taskSource func(context.Context) iter.Seq[sourcedTask]

// source answers where many tasks come from.
func (o *submitOptions) source() (taskSource, error) {
	if o.id != "" {
		return nil, usagef("submit: --id names one task, and these are many; in lines of JSON each can have its id")
	}
	if o.stdin.from != "" {
		return nil, usagef("submit: --stdin is for one command; what is to be read can be in the command of --each, as in 'wc <{}'")
	}
	if o.isEach {
		return o.eachSource()
	}
	if o.input.input != "" || len(o.input.set) > 0 {
		return nil, usagef("submit: --input and --set are for one task; name its type, or write the input into the lines of stdin")
	}
	return o.jsonSource()
}

// eachSource makes a command of each line.
func (o *submitOptions) eachSource() (taskSource, error) {
	template, err := parseTemplate(o.each)
	if err != nil {
		return nil, usagef("submit: --each: %v", err)
	}
	if o.input.input == "-" {
		return nil, usagef("submit: --input - and --each both want stdin: give one of them a file, as @FILE")
	}
	params, err := o.params()
	if err != nil {
		return nil, err
	}
	if hasMember(params.Input, "argv") {
		return nil, usagef("submit: --each makes the member argv, and the input has it already")
	}
	if params.Input, err = o.caller.addTo(params.Input); err != nil {
		return nil, err
	}
	params.Events = o.events()
	o.conditions.addTo(&params, o.after)
	o.retry.addTo(&params)
	end := byte('\n')
	if o.null {
		end = 0
	}
	file, err := o.openLines()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) iter.Seq[sourcedTask] {
		return func(yield func(sourcedTask) bool) {
			number := 0
			for line := range linesOf(ctx, file, end) {
				t := sourcedTask{line: line.number, params: params, err: line.err}
				if t.err == nil {
					number++
					t.params.Input = withArgv(params.Input, template.argv(line.text, number))
				}
				if !yield(t) {
					return
				}
			}
		}
	}, nil
}

func (o *submitOptions) openLines() (*os.File, error) {
	name, isFile := strings.CutPrefix(o.lines, "@")
	switch {
	case o.lines == "-":
		return os.Stdin, nil
	case !isFile:
		return nil, usagef("submit: --lines %q: want - or @FILE", o.lines)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("submit: --lines: %v", err)
	}
	return f, nil // it is open until the process ends
}

// withArgv adds the member argv to an object that does not have it.
func withArgv(object jsontext.Value, argv []string) jsontext.Value {
	input := append(jsontext.Value(nil), `{"argv":[`...)
	for i, word := range argv {
		if i > 0 {
			input = append(input, ',')
		}
		input = append(input, quotedJSON(word)...)
	}
	input = append(input, ']')
	if rest := bytes.TrimSpace(object[1:]); rest[0] != '}' {
		input = append(input, ',')
	}
	return append(input, object[1:]...)
}

// jsonSource reads the params of a submit from each line.
func (o *submitOptions) jsonSource() (taskSource, error) {
	common, err := o.params()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) iter.Seq[sourcedTask] {
		return func(yield func(sourcedTask) bool) {
			for line := range linesOf(ctx, os.Stdin, '\n') {
				t := sourcedTask{line: line.number, err: line.err}
				if t.err == nil {
					t.params, t.err = o.paramsOf(line.text, &common)
				}
				if !yield(t) {
					return
				}
			}
		}
	}, nil
}

// paramsOf are the params of a line, with what the flags give to all.
func (o *submitOptions) paramsOf(line string, common *schema.SubmitParams) (p schema.SubmitParams, err error) {
	if err := json.Unmarshal([]byte(line), &p, json.RejectUnknownMembers(true)); err != nil {
		if !strings.HasPrefix(strings.TrimSpace(line), "{") && !o.driver.program.NoExec {
			return p, fmt.Errorf("it is not the params of a submit, an object of JSON; for a command with each line: %s submit --each 'COMMAND {}'", o.driver.program.Name)
		}
		return p, fmt.Errorf("it is not the params of a submit, as {\"type\":\"sleep\",\"input\":{\"durationMs\":1}}: %w", shortJSONError(err))
	}
	if p.Priority == nil {
		p.Priority = common.Priority
	}
	if p.TimeoutMs == 0 {
		p.TimeoutMs = common.TimeoutMs
	}
	if p.GraceMs == nil {
		p.GraceMs = common.GraceMs
	}
	if len(common.Labels) > 0 {
		labels := maps.Clone(common.Labels)
		maps.Copy(labels, p.Labels)
		p.Labels = labels
	}
	if p.Type == exec.TypeName && o.driver.program.shipsExec(p.Type) {
		if p.Input, err = o.caller.addTo(p.Input); err != nil {
			return p, err
		}
	}
	o.conditions.addTo(&p, o.after)
	o.retry.addTo(&p)
	p.Events, p.Output = o.events(), ""
	return p, nil
}

// shortJSONError is an error about JSON without the words of the package that found it.
func shortJSONError(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		switch {
		case errors.Is(err, json.ErrUnknownName):
			return fmt.Errorf("it has no member %q", e.JSONPointer.LastToken())
		case e.JSONPointer != "":
			return fmt.Errorf("at %s: %s", e.JSONPointer, wantedOf(e))
		}
		return errors.New("want an object")
	}
	return withoutPackage(err)
}

// wantedOf says what a member takes in place of a value of another type.
func wantedOf(e *json.SemanticError) string {
	want := "another type of value"
	switch t := e.GoType; {
	case t == reflect.TypeFor[schema.Dependency]():
		want = `the id of a task as a string, as "ID" or "ID:success"`
	case t == nil:
	case t.Kind() == reflect.String:
		want = "a string"
	case t.Kind() == reflect.Bool:
		want = "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Float64:
		want = "a number"
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		want = "an array"
	case t.Kind() == reflect.Map || t.Kind() == reflect.Struct:
		want = "an object"
	}
	if e.JSONKind == 0 {
		return "want " + want
	}
	return fmt.Sprintf("it is %s, want %s", kindText(e.JSONKind), want)
}

// kindText names a type of JSON.
func kindText(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	}
	return k.String() // null, true or false
}

// sourceLine is a line of a file, without its end, or an error in its place.
type sourceLine struct {
	number int
	text   string
	err    error
}

// readAhead is how many lines are read before they are wanted.
const readAhead = 1024

// linesOf yields the lines that are not blank. A read cannot be interrupted: the
// goroutine that reads ends with the file, or with the process.
func linesOf(ctx context.Context, file io.Reader, end byte) iter.Seq[sourceLine] {
	lines := make(chan sourceLine, readAhead)
	go readLines(ctx, file, end, lines)
	return func(yield func(sourceLine) bool) {
		for {
			select {
			case <-ctx.Done():
				return
			case line, more := <-lines:
				if !more || !yield(line) {
					return
				}
			}
		}
	}
}

func readLines(ctx context.Context, file io.Reader, end byte, lines chan<- sourceLine) {
	defer close(lines)
	r := bufio.NewReaderSize(file, wire.DefaultMaxMessage)
	for number := 1; ; number++ {
		text, err := r.ReadSlice(end)
		line := sourceLine{number: number, text: string(bytes.TrimSuffix(text, []byte{end}))}
		switch {
		case err != nil && err != io.EOF:
			line.err = fmt.Errorf("it cannot be read: %w", err)
			if errors.Is(err, bufio.ErrBufferFull) {
				line.err = fmt.Errorf("it is longer than %s", formatSize(wire.DefaultMaxMessage))
			}
		case !utf8.ValidString(line.text):
			line.err = errors.New("it is not UTF-8")
		case strings.TrimSpace(line.text) == "":
			if err == nil {
				continue
			}
			return
		}
		select {
		case lines <- line:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}
