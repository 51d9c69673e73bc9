package executor

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// This file keeps values of inputs out of the records of their tasks. A type says
// with Secret which values are hidden. Prepare takes them out, the executor keeps
// them in memory until the task is final, and the task's code gets them back.

// Mask stands in a recorded input in the place of a value that is hidden.
const Mask = "•••"

// MaxSecretBytes bounds the hidden values of all tasks that are not final, in
// bytes. Each value counts secretOverhead more than its bytes.
const MaxSecretBytes = 16 << 20

const secretOverhead = 64

// Secret hides values of the input. With a nil hidden, the member itself is
// hidden. Otherwise the member is an object, and of its members those are hidden
// whose names hidden accepts. Null is never hidden.
//
// In the record of a task each hidden value is the text Mask. The value itself is
// in the memory of this process alone, until the task is final, and the code of
// the task gets it. A task that needs it in a later process fails with kind
// interrupted. hidden is called by many goroutines at once.
func Secret(member string, hidden func(name string) bool) TypeOption {
	return func(t *Type) { t.secrets = append(t.secrets, secretMember{member, hidden}) }
}

// secretMember is a member of inputs that is hidden, or that has hidden members.
type secretMember struct {
	name   string
	hidden func(name string) bool
}

// secretPlace is a value of an input that is or may be hidden.
type secretPlace struct {
	at         jsontext.Pointer
	name       string
	start, end int  // of the value, in the input
	secret     bool // the type says that it is hidden
	masked     bool // it is Mask
}

// mayHaveSecrets reports whether a member of an input may have secrets. Most inputs have
// none, and this is much quicker than reading them.
func (t *Type) mayHaveSecrets(input jsontext.Value) bool {
	return bytes.IndexByte(input, '\\') >= 0 || // a name may be written in another way
		slices.ContainsFunc(t.secrets, func(m secretMember) bool { return bytes.Contains(input, []byte(m.name)) })
}

// secretPlaces calls visit for each value in those members of an input that are or
// have secrets, in the order of the input.
func (t *Type) secretPlaces(input jsontext.Value, visit func(secretPlace)) error {
	if !t.mayHaveSecrets(input) {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(input))
	return eachMember(d, func(name string) error {
		for _, m := range t.secrets {
			if m.name != name {
				continue
			}
			at := jsontext.Pointer("").AppendToken(name)
			if m.hidden == nil {
				return readPlace(d, secretPlace{at: at, name: name, secret: true}, visit)
			}
			return eachMember(d, func(name string) error {
				return readPlace(d, secretPlace{at: at.AppendToken(name), name: name, secret: m.hidden(name)}, visit)
			})
		}
		return d.SkipValue()
	})
}

// eachMember calls value for each member of an object, which reads the member's
// value. It skips what is no object.
func eachMember(d *jsontext.Decoder, value func(name string) error) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if err := value(name.String()); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// readPlace reads the value of a place, and visits it unless it is null.
func readPlace(d *jsontext.Decoder, p secretPlace, visit func(secretPlace)) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	if value.Kind() == 'n' {
		return nil
	}
	p.end = int(d.InputOffset())
	p.start = p.end - len(value)
	p.masked = isMask(value)
	visit(p)
	return nil
}

// isMask reports whether a JSON value is the text Mask, however it is spelled.
func isMask(value jsontext.Value) bool {
	const longest = len(`"\u2022\u2022\u2022"`)
	if value.Kind() != '"' || len(value) > longest {
		return false
	}
	text, err := jsontext.AppendUnquote(nil, value)
	return err == nil && string(text) == Mask
}

// hide takes the hidden values out of an input. The input that it answers is a
// copy. It refuses Mask in a place where a hidden value may stand: with it, nobody
// could tell whether a value is missing.
func (t *Type) hide(input jsontext.Value) (masked jsontext.Value, values [][]byte, err error) {
	var refused []schema.Violation
	copied := 0
	err = t.secretPlaces(input, func(p secretPlace) {
		switch {
		case p.masked:
			refused = append(refused, schema.Violation{
				Pointer: string(p.at), Message: Mask + " stands for a value that is hidden; give the value itself",
			})
		case p.secret:
			values = append(values, bytes.Clone(input[p.start:p.end]))
			masked = append(append(append(append(masked, input[copied:p.start]...), '"'), Mask...), '"')
			copied = p.end
		}
	})
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("find the secrets of the input: %w", err)
	case refused != nil:
		return nil, nil, &InputError{What: "input", Violations: refused}
	case values == nil:
		return keep(input), nil, nil
	}
	return append(masked, input[copied:]...), values, nil
}

// reveal puts hidden values back into an input, in the order in which hide took
// them out. Its error names the values that are not there any more.
func (t *Type) reveal(input jsontext.Value, values [][]byte) (jsontext.Value, error) {
	var whole jsontext.Value
	var gone []string
	copied := 0
	err := t.secretPlaces(input, func(p secretPlace) {
		switch {
		case !p.masked:
		case len(values) == 0:
			gone = append(gone, p.name)
		default:
			whole = append(append(whole, input[copied:p.start]...), values[0]...)
			copied, values = p.end, values[1:]
		}
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the secrets of the input: %w", err)
	case gone != nil:
		return nil, secretsGone(gone)
	case copied == 0:
		return input, nil
	}
	return append(whole, input[copied:]...), nil
}

// secretsGone is the error of a task whose hidden values an earlier process had.
func secretsGone(names []string) error {
	return &Failure{schema.TaskError{Kind: schema.KindInterrupted, Retryable: true, Message: fmt.Sprintf(
		"hidden values of the input are gone, because the executor that had them in memory has ended: %s; set them, and submit the task again",
		strings.Join(names, ", "))}}
}

// vault has the hidden values of tasks that are not final. The zero value is
// ready to use.
type vault struct {
	held atomic.Int64 // how many tasks have values here

	mu    sync.Mutex // protects what follows
	tasks map[uuid.UUID]*vaultEntry
	bytes int64
}

// vaultEntry has the hidden values of one task. It goes when the task is final, and
// when no submit of its id has made a task.
type vaultEntry struct {
	values  [][]byte
	bytes   int64
	submits int // those that are not answered yet
	live    bool
	ended   bool
}

// add keeps the values of a submit until settle is called for it. If another submit
// of the id has brought values before, these count. It answers false where there is
// no room.
func (v *vault) add(id uuid.UUID, values [][]byte) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	entry := v.tasks[id]
	if entry == nil {
		entry = &vaultEntry{values: values}
		for _, value := range values {
			entry.bytes += int64(len(value)) + secretOverhead
		}
		if v.bytes+entry.bytes > MaxSecretBytes {
			return false
		}
		if v.tasks == nil {
			v.tasks = map[uuid.UUID]*vaultEntry{}
		}
		v.bytes += entry.bytes
		v.tasks[id] = entry
		v.held.Add(1)
	}
	entry.submits++
	return true
}

// settle says what became of a submit: whether it made a new task.
func (v *vault) settle(id uuid.UUID, made bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	entry := v.tasks[id]
	entry.submits--
	entry.live = entry.live || made
	v.dropLocked(id, entry)
}

// end drops the values of a task that is final. It is called for every task.
func (v *vault) end(id uuid.UUID) {
	if v.held.Load() == 0 {
		return // the usual case
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if entry := v.tasks[id]; entry != nil {
		entry.ended = true
		v.dropLocked(id, entry)
	}
}

func (v *vault) dropLocked(id uuid.UUID, entry *vaultEntry) {
	if entry.submits == 0 && (entry.ended || !entry.live) {
		delete(v.tasks, id)
		v.held.Add(-1)
		v.bytes -= entry.bytes
	}
}

// values are the hidden values of a task, or nil.
func (v *vault) values(id uuid.UUID) [][]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	if entry := v.tasks[id]; entry != nil {
		return entry.values
	}
	return nil
}

// hiddenElsewhere refuses a task with hidden values where it may run in another process. It names the
// values.
func (e *Executor) hiddenElsewhere(r *Record) error {
	refused := &InputError{What: "input"}
	t, err := e.lookup(r.Type)
	if err != nil {
		return err
	}
	err = t.secretPlaces(r.Input, func(p secretPlace) {
		if p.masked {
			refused.Violations = append(refused.Violations, schema.Violation{
				Pointer: string(p.at), Message: "its value is hidden, which stays in the memory of one process, and in this store another one may run the task; let the task read it where it runs",
			})
		}
	})
	return cmp.Or(err, error(refused))
}

// withSecrets is a submitter for submissions of which some have hidden
// values. The values are in the vault before a worker can claim a task. A
// submission for whose values there is no room is not recorded.
func (e *Executor) withSecrets(submit submitter) submitter {
	return func(ctx context.Context, submissions []Submission) ([]Submitted, error) {
		return e.submitWithSecrets(ctx, submissions, submit)
	}
}

func (e *Executor) submitWithSecrets(ctx context.Context, submissions []Submission, submit submitter) ([]Submitted, error) {
	answers := make([]Submitted, len(submissions))
	admitted := make([]Submission, 0, len(submissions))
	places := make([]int, 0, len(submissions)) // of the admitted ones
	for i := range submissions {
		s := &submissions[i]
		if s.Hidden != nil && e.shared {
			answers[i].Err = e.hiddenElsewhere(&s.Record)
			continue
		}
		if s.Hidden != nil && !e.vault.add(s.ID, s.Hidden) {
			answers[i].Err = &FullError{
				What: "the bytes of the hidden values of tasks that are not final", Limit: MaxSecretBytes,
				Cure: "try again when tasks have ended, or give the values in a file",
			}
			continue
		}
		admitted = append(admitted, *s)
		places = append(places, i)
	}
	recorded, err := submit(ctx, admitted)
	for i := range admitted {
		made := false
		if err == nil {
			answers[places[i]] = recorded[i]
			made = recorded[i].Err == nil && !recorded[i].Existing
		}
		if admitted[i].Hidden != nil {
			e.vault.settle(admitted[i].ID, made)
			if made && admitted[i].mayEndUnrun() {
				e.followUnrun(ctx, admitted[i].ID)
			}
		}
	}
	return answers, err
}

// hasSecrets reports whether a submission has hidden values.
func hasSecrets(submissions []Submission) bool {
	for i := range submissions {
		if submissions[i].Hidden != nil {
			return true
		}
	}
	return false
}
