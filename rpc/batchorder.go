package rpc

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file brings the submits of a batch into an order in which each comes behind those that its
// task comes after.

// mostOfCycle is how many tasks of a cycle an error names.
const mostOfCycle = 10

// batchOrder is the order in which the elements of a batch are handled. It is that in which they
// came, but that a submit is handled before those whose tasks come after its task.
type batchOrder struct {
	submits map[int]*orderedSubmit // by the place in the batch
	places  map[uuid.UUID]int      // of the first submit with each id
	path    []int                  // from a submit to what it comes after
	sorted  []int
	cycles  map[int]error // of the submits whose task would come after itself
}

// orderedSubmit is a submit of a batch.
type orderedSubmit struct {
	id    uuid.UUID
	after []schema.Dependency
	state visit
}

type visit uint8

const (
	unseen visit = iota
	under        // it is on the path
	sorted
)

// order answers in which order the elements of a batch are handled, and which are refused. A nil
// element is bad. What is wrong with an element otherwise is found when it is handled.
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

// visit sorts an element behind the submits that its task comes after.
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
	for _, d := range submit.after {
		switch before, found := o.places[d.ID]; {
		case !found || before == i: // a task that comes after itself is refused when it is handled
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

// refuse refuses the submits of the path from one on: each comes after the next, and the last after
// the first.
func (o *batchOrder) refuse(first int) {
	var cycle []int
	for n := len(o.path) - 1; ; n-- {
		if cycle = append(cycle, o.path[n]); o.path[n] == first {
			break
		}
	}
	for n := range cycle { // it is turned around: the task of each comes after that of the one before
		i, before := cycle[n], cycle[(n+len(cycle)-1)%len(cycle)]
		if o.cycles[i] == nil {
			o.cycles[i] = o.cycleError(i, before, cycle, n)
		}
	}
}

// cycleError says that the task of a submit would come after itself, and how.
func (o *batchOrder) cycleError(i, before int, cycle []int, at int) error {
	var text strings.Builder
	text.WriteString("this task comes after ")
	for n := 1; n < len(cycle) && n <= mostOfCycle; n++ {
		place := cycle[(at-n+len(cycle))%len(cycle)]
		fmt.Fprintf(&text, "%v, which comes after ", o.submits[place].id)
	}
	if more := len(cycle) - 1 - mostOfCycle; more > 0 {
		fmt.Fprintf(&text, "%d more, the last of which comes after ", more)
	}
	text.WriteString("this task: none of them could ever run; leave one of these out")
	pointer := "/after"
	for n, d := range o.submits[i].after {
		if d.ID == o.submits[before].id {
			pointer = fmt.Sprintf("/after/%d", n)
		}
	}
	return &executor.InputError{Violations: []schema.Violation{{Pointer: pointer, Message: text.String()}}}
}
