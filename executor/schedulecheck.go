package executor

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/schedule"
	"github.com/jobline/jobline/schema"
)

// This file checks schedules.

// checkSchedule says what is wrong with a schedule.
func (e *Executor) checkSchedule(p *schema.ScheduleParams) error {
	var found violations
	found.schedule(p)
	if p.Cron != "" && p.EveryMs == 0 {
		if _, err := schedule.Zone(cmp.Or(p.TimeZone, schedule.UTC)); err != nil {
			found.add("timeZone", "%v; give a name of the IANA database, as Europe/Berlin", err)
		}
	}
	if found != nil {
		return &InputError{Violations: found}
	}
	if err := checkSize(p); err != nil {
		return err
	}
	return e.checkScheduled(p)
}

// schedule checks what is the same on every machine.
func (v *violations) schedule(p *schema.ScheduleParams) {
	v.name("name", p.Name)
	if p.Name == "" {
		v.add("name", "it is empty; name the schedule")
	}
	v.when(p)
	if p.JitterMs < 0 || p.JitterMs > MaxJitter.Milliseconds() {
		v.add("jitterMs", "%d is not within 0..%d", p.JitterMs, MaxJitter.Milliseconds())
	}
	if p.Missed == schema.MissedAll && p.Overlap != schema.OverlapQueue {
		v.add("missed", "all makes several tasks at once, of which overlap lets only one run; let overlap be queue")
	}
	if _, own := p.Submit.Labels[ScheduleLabel]; own {
		v.add("submit/labels/"+ScheduleLabel, "it is the name of the schedule; leave it out")
	}
}

// when checks when tasks are due.
func (v *violations) when(p *schema.ScheduleParams) {
	switch {
	case p.Cron == "" && p.EveryMs == 0:
		v.add("cron", "neither cron nor everyMs says when a task is due; give one of them")
	case p.Cron != "" && p.EveryMs != 0:
		v.add("everyMs", "cron and everyMs exclude each other")
	case p.Cron == "" && p.TimeZone != "":
		v.add("timeZone", "it is of cron alone; leave it out")
	case p.Cron == "" && (p.EveryMs < LeastEvery.Milliseconds() || p.EveryMs > MaxMs):
		v.add("everyMs", "%d is not within %d..%d", p.EveryMs, LeastEvery.Milliseconds(), MaxMs)
	case p.Cron != "":
		if _, err := schedule.Cron(p.Cron, schedule.UTC, 0); err != nil {
			v.add("cron", "%v; give minute, hour, day, month and weekday, as 30 2 * * *", err)
		}
	}
}

// checkSize refuses a schedule that is too long. It counts what a client has given alone: what is
// recorded with it later must never make it too long.
func checkSize(p *schema.ScheduleParams) error {
	text, err := json.Marshal(p)
	if err == nil && len(text) > MaxScheduleBytes {
		err = &TooLargeError{What: "the bytes of the schedule", Size: int64(len(text)), Limit: MaxScheduleBytes, Cure: "make its input shorter, as by a file that the task reads"}
	}
	return err
}

// checkScheduled says what is wrong with the tasks of a schedule.
func (e *Executor) checkScheduled(p *schema.ScheduleParams) error {
	submit := p.Submit.Params()
	submit.Labels = scheduleLabels(p)
	s, err := e.Prepare(&submit)
	switch {
	case err != nil:
		return ofSubmit(err)
	case len(s.Hidden) > 0:
		return &InputError{Violations: []schema.Violation{{Pointer: "/submit/input", Message: "it has values that are hidden, which are never in a file, and a schedule is; let the task read them where it runs"}}}
	}
	return nil
}

// ofSubmit is the error of a schedule whose submit has an error, or nil.
func ofSubmit(err error) error {
	refused, ok := errors.AsType[*InputError](err)
	switch {
	case ok:
		all := make([]schema.Violation, len(refused.Violations))
		for i, v := range refused.Violations {
			all[i] = schema.Violation{Pointer: "/submit" + inputPointer(refused) + v.Pointer, Message: v.Message}
		}
		return &InputError{Violations: all}
	case err != nil:
		return fmt.Errorf("submit: %w", err)
	}
	return nil
}

// inputPointer is the place, within the params of a submit, of what an error is about.
func inputPointer(err *InputError) string {
	if err.What == "input" {
		return "/input"
	}
	return ""
}

// scheduleLabels are the labels of the tasks of a schedule, but for their owner.
func scheduleLabels(p *schema.ScheduleParams) map[string]string {
	labels := map[string]string{ScheduleLabel: p.Name}
	maps.Copy(labels, p.Submit.Labels)
	return labels
}

// tooManySchedules is the error of a schedule where there are so many others, or nil.
func tooManySchedules(others int) error {
	if others < MaxSchedules {
		return nil
	}
	return &TooLargeError{What: "the number of schedules", Size: int64(others) + 1, Limit: MaxSchedules, Cure: "remove one with unschedule"}
}

// CheckSchedules says what of the texts that another process has written no executor would have made, where the
// store has those that are known, sorted by name. As Submission.Check it comes to the same in all processes: it
// does not ask whether there is the type or the time zone. The error is an *InputError or a *TooLargeError.
func CheckSchedules(changed, known []ScheduleText) error {
	count := len(known)
	added := map[string]bool{}
	for _, t := range changed {
		if t.Text == nil {
			continue
		}
		if err := t.check(); err != nil {
			return err
		}
		if _, there := slices.BinarySearchFunc(known, t.Name, func(k ScheduleText, name string) int { return cmp.Compare(k.Name, name) }); there || added[t.Name] {
			continue
		}
		if err := tooManySchedules(count); err != nil {
			return err
		}
		added[t.Name] = true
		count++
	}
	return nil
}

// maxScheduleText bounds the text of a schedule with what is recorded beside what a client has given: a few times and
// ids, and why the last due time has no task.
const maxScheduleText = 2 * MaxScheduleBytes

// storedSchema has the limits of each member of a stored schedule.
var storedSchema = sync.OnceValues(schema.Derive[storedSchedule])

// check says what is wrong with the text of a schedule.
func (t *ScheduleText) check() error {
	if n := len(t.Text); n > maxScheduleText {
		return &TooLargeError{What: "the bytes of the text of the schedule", Size: int64(n), Limit: maxScheduleText, Cure: "make its input shorter"}
	}
	wanted, err := storedSchema()
	if err != nil {
		return err
	}
	if v := wanted.Validate(t.Text); v != nil {
		return &InputError{Violations: v}
	}
	var s storedSchedule
	if err := json.Unmarshal(t.Text, &s); err != nil {
		return &InputError{Violations: []schema.Violation{{Message: err.Error()}}}
	}
	var found violations
	if s.Name != t.Name {
		found.add("name", "%q is the text of %q", schema.Cut(t.Name), schema.Cut(s.Name))
	}
	found.schedule(&s.ScheduleParams)
	if err := found.err(); err != nil {
		return err
	}
	if err := checkSize(&s.ScheduleParams); err != nil {
		return err
	}
	return ofSubmit(s.checkSubmit())
}

// checkSubmit says what is wrong with the tasks of a schedule, but for what is of their type.
func (s *storedSchedule) checkSubmit() error {
	p := s.Submit.Params()
	if err := checkNumbers(&p); err != nil {
		return err
	}
	if err := CheckLabels(maps.All(scheduleLabels(&s.ScheduleParams))); err != nil {
		return err
	}
	var found violations
	found.typeName("type", p.Type)
	found.either(p.ExpireMs, 0, "expireMs", "expiresAt")
	found.conditions(&p.Conditions, uuid.Nil)
	return found.err()
}
