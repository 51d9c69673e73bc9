package sqlite

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// A planned task follows from its id, so that a test that finds it in a file knows
// what it must be. Each trait takes a byte of the id that is random.

// typeOf is the task's type: "once" must not run twice, and neither must
// "slow", of which a process runs few at once; "again" may.
func typeOf(id uuid.UUID) string { return [...]string{"once", "again", "slow"}[id[15]%3] }

func mayRerun(id uuid.UUID) bool { return typeOf(id) == "again" }

func labelsOf(id uuid.UUID) map[string]string {
	if id[14] >= 64 {
		return nil
	}
	return map[string]string{"digit": string("0123456789abcdef"[id[13]&15])}
}

func inputOf(id uuid.UUID) []byte {
	n := 0
	switch {
	case id[12] < 16:
		n = 4000
	case id[12] < 64:
		n = 500
	}
	return fmt.Appendf(nil, `{"id":"%s","pad":"%s"}`, id, strings.Repeat("x", n))
}

// hangs says that the task's code runs until it is told to stop.
func hangs(id uuid.UUID) bool { return id[11] < 16 }

func outputOf(id uuid.UUID) []byte {
	n := 0
	switch {
	case id[10] < 4:
		n = 2000 // more than is written together with an end
	case id[10] < 100:
		n = int(id[10] % 8)
	}
	return bytes.Repeat([]byte(id.String()+"\n"), n)
}

func outcomeOf(id uuid.UUID) executor.Outcome {
	if id[9] < 32 {
		return executor.Outcome{State: schema.Failed, Error: &schema.TaskError{Kind: schema.KindExit, Message: id.String()}}
	}
	return executor.Outcome{State: schema.Completed, Result: fmt.Appendf(nil, `{"of":"%s"}`, id)}
}

func planned(id uuid.UUID) executor.Submission {
	return newTask(func(r *executor.Submission) {
		r.ID, r.Type, r.Rerun, r.Labels, r.Input = id, typeOf(id), mayRerun(id), labelsOf(id), inputOf(id)
		r.Priority = int8(id[9]%8) - 4
	})
}

// unlike says how a record differs from what was planned, or "".
func unlike(r *executor.Record) string {
	want := planned(r.ID)
	switch {
	case r.Type != want.Type, r.Rerun != want.Rerun, r.Priority != want.Priority, r.Grace != want.Grace:
		return fmt.Sprintf("it is %s, rerun %v, priority %d", r.Type, r.Rerun, r.Priority)
	case fmt.Sprint(r.Labels) != fmt.Sprint(want.Labels):
		return fmt.Sprintf("its labels are %v", r.Labels)
	case !bytes.Equal(r.Input, want.Input):
		return fmt.Sprintf("its input is %.200s", r.Input)
	case r.State == schema.Completed && !bytes.Equal(r.Result, outcomeOf(r.ID).Result):
		return fmt.Sprintf("its result is %.200s", r.Result)
	case r.FinishedAt != 0 && r.FinishedAt < max(r.CreatedAt, r.StartedAt):
		return "it ended before it began"
	}
	return ""
}

// conditionsOf are those of a task of a load, or nil: few have some. The kinds of errors after which it
// is tried again do not name an end with its process, after which only mayRerun lets it run again.
func conditionsOf(id uuid.UUID) *schema.Conditions {
	switch trait := id[8] & 63; {
	case trait < 8 && id[10] >= 4: // with little output: what attempts may have left of much takes long to find out
		return &schema.Conditions{Retry: &schema.Retry{
			MaxAttempts: 3, DelayMs: new(int64), Factor: 1, MaxDelayMs: 1, Jitter: new(float64), On: []schema.ErrorKind{schema.KindTaskError},
		}}
	case trait >= 8 && trait < 16: // replace is the commonest
		on := [...]schema.DedupeOn{schema.DedupeReplace, schema.DedupeReplace, schema.DedupeReuse, schema.DedupeReject}[trait&3]
		return &schema.Conditions{Dedupe: &schema.Dedupe{Key: string("abc"[id[13]%3]), On: on}}
	case trait >= 16 && trait < 24:
		on := [...]schema.DedupeOn{schema.DedupeReuse, schema.DedupeReject}[trait&1]
		return &schema.Conditions{Dedupe: &schema.Dedupe{Key: windowKey(id), On: on, WindowMs: time.Hour.Milliseconds()}}
	}
	return nil
}

// windowKey is one of a few dedupe keys of the time at which an id was made, and of seconds around it.
func windowKey(id uuid.UUID) string { return fmt.Sprintf("window %x %d", id[:5], id[13]%4) }

// A part is a task below one that hangs, and has an id that follows from that. It waits for a time
// that does not come.

const (
	partByte = 0xff // the first byte of the id of a part
	partsAt  = schema.Time(1 << 52)
)

// partOf is the id of a part, which is a number of tasks below the task that hangs.
func partOf(id uuid.UUID, depth byte) uuid.UUID {
	id[0], id[1] = partByte, depth
	return id
}

func isPart(id uuid.UUID) bool { return id[0] == partByte }

// partDiffers says how the conditions of a part differ from those of its id, or "".
func partDiffers(r *executor.Record) string {
	parent := executor.ParentOf(r.Conditions)
	above := r.ID[1] - 1
	if above > 0 && parent != partOf(r.ID, above) || above == 0 && (isPart(parent) || [14]byte(parent[2:]) != [14]byte(r.ID[2:])) {
		return fmt.Sprintf("it is a part of %v", parent)
	}
	if want := (schema.Conditions{Parent: parent, RunAt: partsAt}); !reflect.DeepEqual(&want, r.Conditions) {
		return fmt.Sprintf("its conditions are %+v", r.Conditions)
	}
	return ""
}

// failsFirst is how many attempts of the task fail before the one that ends it.
func failsFirst(id uuid.UUID) int {
	if c := conditionsOf(id); c != nil && c.Retry != nil {
		return 1 + int(id[8]&1)
	}
	return 0
}

// conditionsDiffer says how the conditions of a record differ from those of its id, or "". What a task
// of a load comes after is of the store.
func conditionsDiffer(r *executor.Record) string {
	if isPart(r.ID) {
		return partDiffers(r)
	}
	want := conditionsOf(r.ID)
	switch {
	case want == nil && r.Conditions == nil:
		return ""
	case want == nil, r.Conditions == nil, !reflect.DeepEqual(want.Retry, r.Conditions.Retry), !reflect.DeepEqual(want.Dedupe, r.Conditions.Dedupe):
		return fmt.Sprintf("its conditions are %+v", r.Conditions)
	}
	return ""
}
