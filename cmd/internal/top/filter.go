package top

import (
	"maps"
	"slices"
	"strings"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// filter chooses tasks. It is made of words: KEY=VALUE is a label, type=NAME a type, and
// any other word is a part of what the screen shows of a task.
type filter struct {
	text   string
	types  []string
	labels map[string]string
	words  []string // in lower case
}

// typeKey is what a word begins with that names a type.
const typeKey = "type"

func parseFilter(text string) filter {
	f := filter{text: text, labels: map[string]string{}}
	for _, word := range strings.Fields(text) {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case !ok || key == "" || value == "":
			f.words = append(f.words, strings.ToLower(word))
		case key == typeKey:
			f.types = append(f.types, value)
		default:
			f.labels[key] = value
		}
	}
	return f
}

// params are what the server can choose by.
func (f filter) params() schema.ListParams {
	p := schema.ListParams{Types: f.types}
	if len(f.labels) > 0 {
		p.Labels = f.labels
	}
	return p
}

// remote is the same as a text to compare with others.
func (f filter) remote() string {
	words := slices.Clone(f.types)
	for _, key := range slices.Sorted(maps.Keys(f.labels)) {
		words = append(words, key+"="+f.labels[key])
	}
	return strings.Join(words, " ")
}

// matches reports whether a task is one of those.
func (f filter) matches(it *item) bool {
	if len(f.types) > 0 && !slices.Contains(f.types, it.Type) {
		return false
	}
	for key, value := range f.labels {
		if it.Labels[key] != value {
			return false
		}
	}
	if len(f.words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join([]string{
		it.ID.String(), it.Type, show.State(&it.Task), it.work, waitingText(it), it.Labels[show.OwnerLabel], show.Labels(it.Labels),
	}, " "))
	return !slices.ContainsFunc(f.words, func(word string) bool { return !strings.Contains(text, word) })
}

// waitingText is what a task waits for, as a filter finds it.
func waitingText(it *item) string {
	var words []string
	for i := range it.WaitingFor {
		words = append(words, show.WaitingText(&it.WaitingFor[i]))
	}
	return strings.Join(words, " ")
}
