package executor

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// The limits of a submit.
const (
	MaxLabels     = 32
	MaxLabelBytes = 256 // of a key, and of a value
	// MaxMs bounds timeoutMs and graceMs: ten years.
	MaxMs = int64(10 * 365 * 24 * time.Hour / time.Millisecond)
)

// Prepare checks what a client asks for and makes a submission of it, ready for
// Submit once it has an Owner. It keeps nothing of p's Input but a copy.
func (e *Executor) Prepare(p *schema.SubmitParams) (Submission, error) {
	return e.PrepareAt(p, schema.Now())
}

// PrepareAt is Prepare for a caller that has read the clock: many submits that
// come together are made at one time.
func (e *Executor) PrepareAt(p *schema.SubmitParams, now schema.Time) (r Submission, err error) {
	t := e.asked.Load()
	if t == nil || t.name != p.Type {
		if t, err = e.lookup(p.Type); err != nil {
			return Submission{}, err
		}
		e.asked.Store(t)
	}
	if err := checkNumbers(p); err != nil {
		return Submission{}, err
	}
	if len(p.Labels) > 0 { // most have none
		if err := CheckLabels(maps.All(p.Labels)); err != nil {
			return Submission{}, err
		}
	}
	mask, err := EventMaskOf(p.Events)
	if err != nil {
		return Submission{}, err
	}
	if p.Output == schema.OutputLossless {
		mask = mask.With(EventOutput)
	}
	if p.Input == nil {
		p.Input = emptyObject
	}
	if v := t.checkInput(p.Input); v != nil {
		return Submission{}, &InputError{What: "input", Violations: v}
	}
	r.Timeout, r.Grace, r.Rerun, r.Events = t.timeout, e.options.Grace, t.idempotent, mask
	if p.Rerun != nil {
		r.Rerun = *p.Rerun
	}
	if r.ID = p.ID; r.ID == uuid.Nil {
		r.ID, r.NewID = e.ids.next(now), true
	}
	if r.Conditions, err = e.conditionsOf(t, p, r.ID, now); err != nil {
		return Submission{}, err
	}
	r.Type, r.Labels, r.CreatedAt = t.name, p.Labels, now
	if p.Priority != nil {
		r.Priority = int8(*p.Priority)
	}
	if t.secrets == nil {
		r.Input = keep(p.Input)
	} else if r.Input, r.Hidden, err = t.hide(p.Input); err != nil {
		return Submission{}, err
	}
	switch {
	case p.TimeoutMs > 0:
		r.Timeout = time.Duration(p.TimeoutMs) * time.Millisecond
	case p.TimeoutMs == schema.NoTimeout:
		r.Timeout = 0
	}
	if t.grace != nil {
		r.Grace = *t.grace
	}
	if p.GraceMs != nil {
		r.Grace = time.Duration(*p.GraceMs) * time.Millisecond
	}
	if r.Conditions != nil {
		r.addDefaults(e.groupDefaults(r.Conditions.Group), p)
	}
	return r, nil
}

// keep copies an input, but for the commonest one, which all tasks share.
func keep(input jsontext.Value) jsontext.Value {
	if isEmptyObject(input) {
		return emptyObject
	}
	return bytes.Clone(input)
}

// MinPriority and MaxPriority bound the priority of a task; higher runs first.
const (
	MinPriority = -100
	MaxPriority = 100
)

func checkNumbers(p *schema.SubmitParams) error {
	var v []schema.Violation
	outside := func(name string, n, least, most int64) {
		if n < least || n > most {
			v = append(v, schema.Violation{
				Pointer: "/" + name, Message: fmt.Sprintf("%d is not within %d..%d", n, least, most),
			})
		}
	}
	if p.Priority != nil {
		outside("priority", int64(*p.Priority), MinPriority, MaxPriority)
	}
	outside("timeoutMs", p.TimeoutMs, schema.NoTimeout, MaxMs)
	if p.GraceMs != nil {
		outside("graceMs", *p.GraceMs, 0, MaxMs)
	}
	if v != nil {
		return &InputError{Violations: v}
	}
	return nil
}

// CheckLabels says which limit labels pass, and by which of them. A server
// asks before it holds them against the schema, which counts characters.
func CheckLabels(labels iter.Seq2[string, string]) error {
	count := 0
	for key, value := range labels {
		count++
		for i, text := range [...]string{key, value} {
			if n := len(text); n > MaxLabelBytes {
				return &TooLargeError{
					What: fmt.Sprintf("the bytes of the %s of the label %q", [...]string{"key", "value"}[i], schema.Cut(key)),
					Size: int64(n), Limit: MaxLabelBytes, Cure: "shorten it, or put it into the input",
				}
			}
			if !utf8.ValidString(text) {
				return &InputError{Violations: []schema.Violation{{
					Pointer: "/labels", Message: fmt.Sprintf("the label %q: %q is not UTF-8; give it in UTF-8", key, value),
				}}}
			}
		}
	}
	if count > MaxLabels {
		return &TooLargeError{
			What: "the number of labels", Size: int64(count), Limit: MaxLabels,
			Cure: "leave some out, or put them into the input",
		}
	}
	return nil
}
