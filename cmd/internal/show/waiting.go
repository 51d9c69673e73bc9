package show

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jobline/jobline/schema"
)

// Waiting says in a few words what a queued task waits for, as "after b18f4a07, key deploy".
// It is "" for a task that does not wait, or of which that is not known.
func Waiting(t *schema.Task, now time.Time) string {
	if t.State != schema.Queued {
		return ""
	}
	words := make([]string, len(t.WaitingFor))
	for i := range t.WaitingFor {
		words[i] = waitingWord(&t.WaitingFor[i], now)
	}
	return strings.Join(words, ", ")
}

func waitingWord(w *schema.Waiting, now time.Time) string {
	switch w.Kind {
	case schema.WaitsForTime:
		return "until " + Clock(w.Until, now)
	case schema.WaitsForRetry:
		return "retry at " + Clock(w.Until, now)
	case schema.WaitsForDependency:
		if w.Count == 1 && len(w.IDs) == 1 {
			return "after " + ShortID(w.IDs[0])
		}
		return fmt.Sprintf("after %d tasks", w.Count)
	case schema.WaitsForResource:
		return fmt.Sprintf("needs %s=%d", w.Name, w.Amount)
	case schema.WaitsForResume:
		return strings.TrimSpace("paused " + w.Name)
	}
	return strings.TrimSpace(string(w.Kind) + " " + w.Name)
}

// Moment is a time in the person's time zone, which it names: times of the protocol are UTC.
func Moment(t schema.Time) string { return t.Time().Local().Format(time.DateTime + " MST") }

// WaitingText is what a queued task waits for as the server says it, with its time in the person's
// time zone.
func WaitingText(w *schema.Waiting) string { return withMoment(w.Message, w.Until) }

// ErrorText is why a task failed, as WaitingText.
func ErrorText(t *schema.Task) string {
	if t.Error.Kind == schema.KindExpired && t.Conditions != nil {
		return withMoment(t.Error.Message, t.Conditions.ExpiresAt)
	}
	return t.Error.Message
}

// withMoment is a text that has a time of the protocol, with a Moment in its place.
func withMoment(text string, t schema.Time) string {
	if t.IsZero() {
		return text
	}
	return strings.ReplaceAll(text, t.String(), Moment(t))
}

// Clock is a time in the person's time zone, without the date where it is within a day.
func Clock(t schema.Time, now time.Time) string {
	local := t.Time().Local()
	if d := local.Sub(now); d > -Day && d < Day {
		return local.Format(time.TimeOnly + " MST")
	}
	return Moment(t)
}

// Needs are amounts of resources as NAME=N, with commas between.
func Needs(needs map[string]int64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(needs)) {
		words = append(words, fmt.Sprintf("%s=%d", name, needs[name]))
	}
	return strings.Join(words, ",")
}

// Places are the labels of an executor, or those that a task asks for.
func Places(labels map[string]string) string { return strings.Join(places(labels), " ") }

// PlacesFlag are such labels as a flag takes them.
func PlacesFlag(labels map[string]string) string { return strings.Join(places(labels), ",") }

func places(labels map[string]string) (words []string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, name+"="+labels[name])
	}
	return words
}
