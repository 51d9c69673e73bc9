package cmd

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// mostUnprinted is how many answers are held back at most because that of an earlier line is missing.
const mostUnprinted = 100_000

// answerOrder brings what is printed of lines into the order of the lines, whose answers come in any
// order. A program that reads the ids can then tell which id is of which line.
type answerOrder struct {
	next    int            // the first place whose answer is missing
	waiting map[int][]byte // answers of later places
}

// add takes the answer of a place, which may be empty, and returns what is to be printed now.
func (o *answerOrder) add(place int, text []byte) (ready []byte) {
	if place < o.next { // it was not waited for
		return text
	}
	if o.waiting == nil {
		o.waiting = map[int][]byte{}
	}
	o.waiting[place] = text
	for {
		text, there := o.waiting[o.next]
		if !there {
			break
		}
		delete(o.waiting, o.next)
		ready = append(ready, text...)
		o.next++
	}
	if len(o.waiting) > mostUnprinted {
		ready = append(ready, o.rest()...)
	}
	return ready
}

// rest returns all that is held back: the missing answers do not come, or come too late.
func (o *answerOrder) rest() (ready []byte) {
	for _, place := range slices.Sorted(maps.Keys(o.waiting)) {
		ready = append(ready, o.waiting[place]...)
		o.next = place + 1
	}
	clear(o.waiting)
	return ready
}

// inPlaces numbers the tasks of a source.
func inPlaces(source taskSource) taskSource {
	return func(ctx context.Context) iter.Seq[sourcedTask] {
		return func(yield func(sourcedTask) bool) {
			place := 0
			for t := range source(ctx) {
				t.place = place
				place++
				if !yield(t) {
					return
				}
			}
		}
	}
}
