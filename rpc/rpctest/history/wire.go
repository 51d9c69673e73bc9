package history

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// message is a request, response or notification, alone or of a batch.
type message struct {
	ID     jsontext.Value `json:"id"`
	Method string         `json:"method"`
	Params jsontext.Value `json:"params"`
	Result jsontext.Value `json:"result"`
	Error  *wireError     `json:"error"`
}

type wireError struct {
	Code    schema.Code `json:"code"`
	Message string      `json:"message"`
}

// messages are the messages of a line: one, or all of a batch.
func messages(text []byte) (all []message, batch bool, err error) {
	if bytes.HasPrefix(text, []byte("[")) {
		err = json.Unmarshal(text, &all)
		return all, true, err
	}
	all = make([]message, 1)
	err = json.Unmarshal(text, &all[0])
	return all, false, err
}

// request is one call of a client.
type request struct {
	client   int
	at       int // the number of its entry
	place    int // within its batch
	batch    bool
	id       string // as JSON; "" for a notification
	method   string
	params   any // what paramsOf makes
	answer   *answer
	position int // among all requests of its client
}

// answer is what a request was answered with.
type answer struct {
	at     int // the number of its entry
	err    *wireError
	result any // what resultOf makes
}

// event is one notification.
type event struct {
	client, at int
	method     string
	rank       int
	ID         uuid.UUID       `json:"id"`
	Seq        uint64          `json:"seq"`
	Stream     schema.Stream   `json:"stream"`
	Offset     int64           `json:"offset"`
	Gap        int64           `json:"gap"`
	Data       string          `json:"data"`
	Encoding   schema.Encoding `json:"encoding"`
	Progress   jsontext.Value  `json:"progress"` // a number in task/progress, an object in task/finished
	Subscribed uint32          `json:"subscription"`
	Missed     *schema.Missed  `json:"missed"`
	task       *schema.Task    // of task/finished
	replays    []*subscription // those that may have brought it again
}

// paramsOf decodes the params of a method; it is nil for a method without any.
func paramsOf(method string, raw jsontext.Value) (any, error) {
	var p any
	switch method {
	case schema.MethodSubmit:
		p = new(schema.SubmitParams)
	case schema.MethodStatus:
		p = new(schema.StatusParams)
	case schema.MethodCancel:
		p = new(schema.CancelParams)
	case schema.MethodWait:
		p = new(schema.WaitParams)
	case schema.MethodList:
		p = new(schema.ListParams)
	case schema.MethodOutput:
		p = new(schema.OutputParams)
	case schema.MethodInput:
		p = new(schema.InputParams)
	case schema.MethodSignal:
		p = new(schema.SignalParams)
	case schema.MethodResize:
		p = new(schema.ResizeParams)
	case schema.MethodSubscribe:
		p = new(schema.SubscribeParams)
	case schema.MethodUnsubscribe:
		p = new(schema.UnsubscribeParams)
	case schema.MethodCancelRequest:
		p = new(schema.CancelRequestParams)
	case schema.MethodShutdown:
		p = new(schema.ShutdownParams)
	default:
		return nil, nil
	}
	if raw == nil {
		return p, nil
	}
	return p, json.Unmarshal(raw, p)
}

// resultOf decodes the result of a method; an empty result is nil.
func resultOf(method string, raw jsontext.Value) (any, error) {
	var r any
	switch method {
	case schema.MethodSubmit:
		r = new(schema.SubmitResult)
	case schema.MethodStatus:
		r = new(schema.Task)
	case schema.MethodCancel:
		r = new(schema.CancelResult)
	case schema.MethodWait:
		r = new(schema.WaitResult)
	case schema.MethodList:
		r = new(schema.ListResult)
	case schema.MethodOutput:
		r = new(schema.OutputResult)
	case schema.MethodSubscribe:
		r = new(schema.SubscribeResult)
	case schema.MethodStats:
		r = new(schema.StatsResult)
	case schema.MethodShutdown:
		r = new(schema.ShutdownResult)
	default:
		return nil, nil
	}
	return r, json.Unmarshal(raw, r)
}

// tasksIn are the tasks that a result shows.
func tasksIn(result any) []schema.Task {
	switch r := result.(type) {
	case *schema.SubmitResult:
		return []schema.Task{r.Task}
	case *schema.Task:
		return []schema.Task{*r}
	case *schema.CancelResult:
		return []schema.Task{r.Task}
	case *schema.WaitResult:
		return r.Tasks
	case *schema.ListResult:
		return r.Tasks
	}
	return nil
}

// The ranks of states: a task never goes down.
const (
	rankQueued = iota
	rankRunning
	rankFinal
)

func rankOf(s schema.State) int { return min(int(s), rankFinal) }

// eventOf decodes a notification.
func eventOf(m *message) (*event, error) {
	ev := &event{method: m.Method, rank: rankRunning}
	if err := json.Unmarshal(m.Params, ev); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Method, err)
	}
	if m.Method == schema.NotifyFinished {
		ev.rank, ev.task = rankFinal, new(schema.Task)
		if err := json.Unmarshal(m.Params, ev.task); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Method, err)
		}
	}
	return ev, nil
}

// kindOf is the name of a notification in the member events of a submit.
func kindOf(method string) string {
	switch method {
	case schema.NotifyStarted:
		return schema.EventStarted
	case schema.NotifyProgress:
		return schema.EventProgress
	case schema.NotifyOutput:
		return schema.EventOutput
	}
	return schema.EventFinished
}
