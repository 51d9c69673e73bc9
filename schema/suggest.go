package schema

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// maxSuggestions is how many names a message offers.
	maxSuggestions = 3
	// maxSuggestLength bounds the length of compared names. The time to compare two grows with the
	// product of their lengths, and one of them comes from a client.
	maxSuggestLength = 64
	// minSuggestPrefix is how much of a name must be typed before the rest is guessed.
	minSuggestPrefix = 2
)

// Suggest returns the known names that a message can offer for an unknown one: at most three, the most
// similar first. A name is similar if few letters differ, regardless of case, or if it begins with
// the unknown one. A name that is equal is not suggested.
func Suggest(name string, known []string) []string {
	if name == "" || len(name) > maxSuggestLength {
		return nil
	}
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		if k == name || k == "" || len(k) > maxSuggestLength {
			continue
		}
		if d, ok := closeness(strings.ToLower(name), strings.ToLower(k)); ok {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortFunc(near, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.name, b.name))
	})
	near = slices.CompactFunc(near, func(a, b candidate) bool { return a.name == b.name })
	var names []string
	for _, c := range near[:min(len(near), maxSuggestions)] {
		names = append(names, c.name)
	}
	return names
}

// closeness is the distance between two names, and whether it is small enough for a typing error:
// at most a third of the longer name. Known names that begin with the typed one come after all
// typing errors, the shortest first.
func closeness(name, known string) (distance int, ok bool) {
	d := editDistance([]rune(name), []rune(known))
	if d <= max(1, max(len(name), len(known))/3) && d < min(len(name), len(known)) {
		return d, true
	}
	if len(name) >= minSuggestPrefix && strings.HasPrefix(known, name) {
		return maxSuggestLength + len(known), true
	}
	return 0, false
}

// editDistance is the optimal string alignment distance: how many letters must be inserted, deleted,
// replaced, or swapped with their neighbour, to turn a into b.
func editDistance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range a {
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
