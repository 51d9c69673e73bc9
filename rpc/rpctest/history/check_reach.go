package history

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/jobline/jobline/schema"
)

// This file checks input, signal and resize, which reach the code of running tasks.

// inputText is what a request sends to a task. No two texts of a history are equal.
func inputText(player, number int) string { return fmt.Sprintf("%d.%d", player, number) }

// reaches reports whether a request is to reach the code of a task.
func (rq *request) reaches() bool {
	return rq.method == schema.MethodInput || rq.method == schema.MethodSignal || rq.method == schema.MethodResize
}

// reached reports whether a request has reached the code of a task.
func (rq *request) reached() bool { return rq.reaches() && rq.answer != nil && rq.answer.err == nil }

// takes reports whether tasks of the type of a task can be reached.
func (t *task) takes() bool {
	return len(t.submits) > 0 && t.submits[0].params.(*schema.SubmitParams).Type == readingType
}

// reachedWhileRunning: a request reaches only a task that can be reached and that its
// client has not seen in a final state.
func (x *index) reachedWhileRunning() {
	for _, rq := range x.requests {
		if !rq.reached() {
			continue
		}
		t := x.tasks[idsOf(rq)[0]]
		if len(t.submits) > 0 && !t.takes() {
			x.failRequest("reach", rq, "it has reached a task that takes nothing")
		}
		for _, s := range t.sightings {
			if s.client == rq.client && s.rank == rankFinal && s.at < rq.at {
				x.failRequest("reach", rq, "it has reached a task that had ended")
				break
			}
		}
	}
}

// unreachable: a request is not permitted only where its task takes nothing, or does not
// run. Nobody knows of a task that takes something whether it still runs, but the message
// never says that its type takes nothing.
func (x *index) unreachable(rq *request) {
	if !rq.reaches() {
		x.failRequest("answers", rq, "it is not permitted, and every client is permitted it")
		return
	}
	if t := x.tasks[idsOf(rq)[0]]; t != nil && t.takes() && strings.Contains(rq.answer.err.Message, "tasks of this type") {
		x.failRequest("reach", rq, "the type of the task takes it: %s", rq.answer.err.Message)
	}
}

// inputsArrive: a task has read the inputs that were answered, each once, and those of
// each connection in the order of their requests.
func (x *index) inputsArrive() {
	sent := map[string]*request{}
	for _, rq := range x.requests {
		if p, ok := rq.params.(*schema.InputParams); ok {
			sent[p.Data] = rq
		}
	}
	for _, t := range x.order {
		if t.final == nil || t.final.State != schema.Completed || !t.takes() {
			continue
		}
		var result Result
		if err := json.Unmarshal(t.final.Result, &result); err != nil {
			x.fail("reach", t, "its result is no result: %v", err)
			continue
		}
		next := map[int]int{} // by client: the least position of the request that is read next
		for _, text := range result.Heard {
			rq := sent[text]
			switch {
			case rq == nil || idsOf(rq)[0] != t.id:
				x.fail("reach", t, "it has read %q, which nobody has sent to it", text)
				continue
			case rq.answer != nil && rq.answer.err != nil:
				x.failRequest("reach", rq, "the task has read an input that was refused")
			case rq.position < next[rq.client]:
				x.failRequest("reach", rq, "the task has read an input twice, or behind one that was sent later")
			}
			next[rq.client] = rq.position + 1
		}
	}
}
