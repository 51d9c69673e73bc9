package rpc

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file sorts the submits of a batch so that each comes after the submits that it names: those of its
// dependencies, and that of its parent.

// mostOfCycle is how many tasks of a cycle an error names.
const mostOfCycle = 10

// batchOrder is the order in which the elements of a batch are handled. It is the order of the batch, except
// that a submit is handled before the submits that name its task.
type batchOrder struct {
	submits map[int]*orderedSubmit // by index in the batch
	places  map[uuid.UUID]int      // by id: the index of its first submit
	path    []int                  // the submits that are being visited; each names the next
	sorted  []int
	cycles  map[int]error // by index: the errors of submits that are part of a cycle
}

// orderedSubmit is a submit of a batch.
type orderedSubmit struct {
	id     uuid.UUID
	after  []schema.Dependency
	parent uuid.UUID
	state  visit
}

// before are the tasks that must exist before the submit can be handled.
func (s *orderedSubmit) before(yield func(uuid.UUID) bool) {
	if s.parent != uuid.Nil && !yield(s.parent) {
		return
	}
	for _, d := range s.after {
		if !yield(d.ID) {
			return
		}
	}
}

type visit uint8

const (
	unseen visit = iota
	under        // it is on the path
	sorted
)

// order answers the order in which to handle the elements of a batch, and which are refused. A nil element is
// bad. Other errors of an element are found when it is handled.
func (b *batch) order(elements [][]byte) *batchOrder {
	o := &batchOrder{submits: map[int]*orderedSubmit{}, places: map[uuid.UUID]int{}, cycles: map[int]error{}}
	for i, value := range elements {
		if value == nil { // it is bad
			continue
		}
		m := b.session.element(value)
		if m.Check() != nil || m.MethodName() != schema.MethodSubmit {
			continue
		}
		submit := new(orderedSubmit)
		if json.Unmarshal(m.Params.Get("after"), &submit.after) != nil {
			submit.after = nil
		}
		if json.Unmarshal(m.Params.Get("parent"), &submit.parent) != nil {
			submit.parent = uuid.Nil
		}
		if json.Unmarshal(m.Params.Get("id"), &submit.id) == nil && submit.id != uuid.Nil {
			if _, twice := o.places[submit.id]; !twice {
				o.places[submit.id] = i
			}
		}
		o.submits[i] = submit
	}
	for i := range elements {
		o.visit(i)
	}
	return o
}

// visit sorts an element after the submits that it names.
func (o *batchOrder) visit(i int) {
	submit := o.submits[i]
	if submit == nil {
		o.sorted = append(o.sorted, i)
		return
	}
	if submit.state != unseen {
		return
	}
	submit.state = under
	o.path = append(o.path, i)
	for id := range submit.before {
		switch before, found := o.places[id]; {
		case !found || before == i: // a task that names itself is refused when it is handled
		case o.submits[before].state == under:
			o.refuse(before)
		default:
			o.visit(before)
		}
	}
	o.path = o.path[:len(o.path)-1]
	submit.state = sorted
	o.sorted = append(o.sorted, i)
}

// refuse refuses the submits of a cycle: those of the path from one on, of which each names the next, and the
// last the first.
func (o *batchOrder) refuse(first int) {
	var cycle []int
	for n := len(o.path) - 1; ; n-- {
		if cycle = append(cycle, o.path[n]); o.path[n] == first {
			break
		}
	}
	for n := range cycle { // it is turned around: each names the one before
		i, before := cycle[n], cycle[(n+len(cycle)-1)%len(cycle)]
		if o.cycles[i] == nil {
			o.cycles[i] = o.cycleError(i, before, cycle, n)
		}
	}
}

// cycleError is the error of a submit whose task would come after itself. It names the cycle.
func (o *batchOrder) cycleError(i, before int, cycle []int, at int) error {
	var text strings.Builder
	fmt.Fprintf(&text, "this task %s ", o.relation(i, before))
	for n := 1; n < len(cycle) && n <= mostOfCycle; n++ {
		place, next := cycle[(at-n+len(cycle))%len(cycle)], cycle[(at-n-1+2*len(cycle))%len(cycle)]
		fmt.Fprintf(&text, "%v, which %s ", o.submits[place].id, o.relation(place, next))
	}
	if more := len(cycle) - 1 - mostOfCycle; more > 0 {
		fmt.Fprintf(&text, "%d more, the last of which comes after ", more)
	}
	text.WriteString("this task: none of them could ever run; leave one of these out")
	pointer := "/after"
	if o.submits[i].parent == o.submits[before].id {
		pointer = "/parent"
	}
	for n, d := range o.submits[i].after {
		if d.ID == o.submits[before].id {
			pointer = fmt.Sprintf("/after/%d", n)
		}
	}
	return &executor.InputError{Violations: []schema.Violation{{Pointer: pointer, Message: text.String()}}}
}

// relation is what the task of a submit has to do with that of another one, which it names.
func (o *batchOrder) relation(i, named int) string {
	if o.submits[i].parent == o.submits[named].id {
		return "is a part of"
	}
	return "comes after"
}
