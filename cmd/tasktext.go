package cmd

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/schema"
)

// This file says in words what a task is and how it is.

// ownerLabel is the label that names the client that has submitted a task.
const ownerLabel = "owner"

// shortID is the end of an id, by which a person can name the task: the begin is a
// time, and the same for all that were submitted in a minute.
func shortID(id uuid.UUID) string {
	text := id.String()
	return text[len(text)-8:]
}

// shortSpan is a time in a few characters: 340ms, 3.4s, 34s, 3m12s, 5h12m, 3d4h.
func shortSpan(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d/time.Millisecond)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", math.Floor(d.Seconds()*10)/10)
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}

// ageOf is how long ago a time was, in its largest unit.
func ageOf(t schema.Time, now time.Time) string {
	switch d := max(now.Sub(t.Time()), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/day)
	}
}

// ranFor is how long the newest attempt of a task has run, or "" where it never did.
func ranFor(t *schema.Task, now time.Time) string {
	if t.StartedAt.IsZero() {
		return ""
	}
	if !t.FinishedAt.IsZero() {
		now = t.FinishedAt.Time()
	}
	return shortSpan(now.Sub(t.StartedAt.Time()))
}

// stateText is the state of a task with how far it is, or why it failed, in a few
// words.
func stateText(t *schema.Task) string {
	words := []string{t.State.String()}
	switch {
	case t.State == schema.Running && !t.CancelRequestedAt.IsZero():
		words = append(words, "stopping")
	case t.Stopped:
		words = append(words, "stopped")
	case t.State == schema.Running && t.Progress != nil:
		if share, known := shareOf(*t.Progress); known {
			words = append(words, fmt.Sprintf("%.0f%%", math.Floor(share*100)))
		}
	case t.State == schema.Failed && t.Error != nil:
		words = append(words, failureWord(t.Error))
	}
	return strings.Join(words, " ")
}

// failureWord is why a task failed, in a word or two.
func failureWord(e *schema.TaskError) string {
	switch {
	case e.Kind == schema.KindExit && e.ExitCode != nil:
		return fmt.Sprintf("exit %d", *e.ExitCode)
	case e.Kind == schema.KindSignal && e.Signal != "":
		return e.Signal
	case e.Kind == schema.KindSpawn && e.Errno != "":
		return e.Errno
	case e.Kind == schema.KindTaskError:
		return ""
	}
	return string(e.Kind)
}

// stateStyle is the colour of a state.
func stateStyle(s schema.State) style {
	return [...]style{
		schema.Queued: dim, schema.Running: cyan, schema.Completed: green, schema.Failed: red, schema.Cancelled: yellow,
	}[s]
}

// workText says what a task does: the command of exec, or the input of another type.
// It is "" where the input is not known.
func workText(t *schema.Task) string {
	if len(t.Input) == 0 || string(t.Input) == "{}" {
		return ""
	}
	if t.Type == exec.TypeName {
		var in struct {
			Argv []string `json:"argv"`
		}
		if json.Unmarshal(t.Input, &in) == nil && len(in.Argv) > 0 {
			return commandText(in.Argv)
		}
	}
	return string(t.Input)
}

// commandText is a command as a person would write it to a shell.
func commandText(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = shellWord(word)
	}
	return strings.Join(words, " ")
}

// labelsText are the labels of a task but that of its owner, as KEY=VALUE.
func labelsText(labels map[string]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != ownerLabel {
			words = append(words, key+"="+labels[key])
		}
	}
	return strings.Join(words, " ")
}

// endText says how a task has ended, as "exec failed: sh exited with code 3".
func endText(t *schema.Task) string {
	text := t.Type + " " + t.State.String()
	switch {
	case t.State == schema.Completed:
	case t.Error == nil:
		text += ": for an unknown reason"
	default:
		text += ": " + strings.TrimPrefix(t.Error.Message, t.State.String()+": ") // said once
	}
	return text
}

// countsText lists how often there is what, the most frequent first, as
// "12 exec queued, 2 exec running".
func countsText(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(words, ", ")
}
