// Package show says in a few words what tasks are and do, and makes text of others
// harmless for a terminal.
package show

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

// Day is 24 hours: a duration knows no calendar.
const Day = 24 * time.Hour

// OwnerLabel is the label that names the client that has submitted a task.
const OwnerLabel = "owner"

// ShortID is the end of an id, by which a person can name the task: the begin is a
// time, and the same for all that were submitted in a minute.
func ShortID(id uuid.UUID) string {
	text := id.String()
	return text[len(text)-8:]
}

// Span is a time in a few characters: 340ms, 3.4s, 34s, 3m12s, 5h12m, 3d4h.
func Span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return fmt.Sprintf("%dms", d/time.Millisecond)
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", math.Floor(d.Seconds()*10)/10)
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < Day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/Day, d%Day/time.Hour)
}

// Exact is a time without a loss, in the largest unit that leaves a whole number, but
// for one day, which is 24h.
func Exact(d time.Duration) string {
	switch {
	case d >= 2*Day && d%Day == 0:
		return fmt.Sprintf("%dd", d/Day)
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// Age is how long ago a time was, in its largest unit.
func Age(t schema.Time, now time.Time) string {
	switch d := max(now.Sub(t.Time()), 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*Day:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/Day)
	}
}

// Ran is how long the newest attempt of a task has run, or "" where it never did.
func Ran(t *schema.Task, now time.Time) string {
	if t.StartedAt.IsZero() {
		return ""
	}
	if !t.FinishedAt.IsZero() {
		now = t.FinishedAt.Time()
	}
	return Span(now.Sub(t.StartedAt.Time()))
}

// State is the state of a task with how far it is, or why it failed, in a few
// words.
func State(t *schema.Task) string {
	words := []string{t.State.String()}
	switch {
	case t.State == schema.Running && !t.CancelRequestedAt.IsZero():
		words = append(words, "stopping")
	case t.Stopped:
		words = append(words, "stopped")
	case t.State == schema.Running && t.Progress != nil:
		if share, known := Share(*t.Progress); known {
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

// Work says what a task does: the command of exec, or the input of another type.
// It is "" where the input is not known.
func Work(t *schema.Task) string {
	if len(t.Input) == 0 || string(t.Input) == "{}" {
		return ""
	}
	if argv := CommandOf(t).Argv; len(argv) > 0 {
		return Command(argv)
	}
	return string(t.Input)
}

// ShownCommand is what a person is shown of the command of an exec task.
type ShownCommand struct {
	Argv []string `json:"argv"`
	Dir  string   `json:"dir"`
}

// CommandOf is the command of a task. It is the zero value for a task of another type, and where the
// input is not known.
func CommandOf(t *schema.Task) (c ShownCommand) {
	if t.Type != exec.TypeName || json.Unmarshal(t.Input, &c) != nil {
		return ShownCommand{}
	}
	return c
}

// Command is a command as a person would write it to a shell.
func Command(argv []string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = ShellWord(word)
	}
	return strings.Join(words, " ")
}

// Labels are the labels of a task but that of its owner, as KEY=VALUE.
func Labels(labels map[string]string) string {
	var words []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != OwnerLabel {
			words = append(words, key+"="+labels[key])
		}
	}
	return strings.Join(words, " ")
}

// End says how a task has ended, as "exec failed: sh exited with code 3".
func End(t *schema.Task) string {
	text := t.Type + " " + t.State.String()
	switch {
	case t.State == schema.Completed:
	case t.Error == nil:
		text += ": for an unknown reason"
	default:
		text += saidOnce(ErrorText(t), t.State.String())
	}
	return text
}

// saidOnce is what a message says beyond a state, which the caller has said already, with
// a colon before it. The message of a task that was cancelled begins with its state.
func saidOnce(message, state string) string {
	if message == state {
		return ""
	}
	for _, separator := range []string{": ", "; "} {
		message = strings.TrimPrefix(message, state+separator)
	}
	return ": " + message
}

// Counts lists how often there is what, the most frequent first, as
// "12 exec queued, 2 exec running".
func Counts(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(words, ", ")
}

// StateCounts says how many tasks there are in each state, as "2 queued, 1 running".
func StateCounts(counts *schema.TaskCounts) string {
	var words []string
	for state, name := range schema.StateNames {
		if n := *counts.Of(schema.State(state)); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, name))
		}
	}
	return strings.Join(words, ", ")
}

// ShellWord quotes a word for a POSIX shell, where it has to be.
func ShellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_@%+=:,./-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Share is how much of a task is done, from 0 to 1, where that is known.
func Share(p schema.Progress) (share float64, known bool) {
	if p.Total <= 0 {
		return 0, false
	}
	return min(max(p.Value/p.Total, 0), 1), true
}

// Ordered reports whether the log of a task tells the order of its streams.
func Ordered(t *schema.Task) bool {
	var in struct {
		Stderr string `json:"stderr"`
	}
	return t.Type == exec.TypeName && json.Unmarshal(t.Input, &in) == nil && in.Stderr == exec.Ordered
}
