package history

import (
	"math"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// index is a history by requests, with their answers, and by tasks, with all messages
// that show them.
type index struct {
	history       *History
	requests      []*request // in the order of sending
	events        []*event   // of tasks, in the order of receipt
	tasks         map[uuid.UUID]*task
	order         []*task // in the order of their first messages
	subscriptions []*subscription
	clients       map[int]*client
	found         []Violation
}

// client is one connection.
type client struct {
	requests  []*request
	pending   map[string]*request // not answered
	cancelled map[string]bool     // ids of requests that $/cancelRequest named
	fellBack  bool                // events of subscriptions were dropped since it was slow
	left      int                 // the entry at which the client ended it; never is math.MaxInt
	cut       bool                // it ended it without waiting for the answers
	shutdown  *request            // that has ended it, or nil
}

// task is what a history shows of one task.
type task struct {
	id        uuid.UUID
	submits   []*request // accepted, in the order of sending
	fresh     *request   // the one that was answered as new
	lost      []*request // submits of it on connections that were cut before they were answered
	cancelled bool       // a cancel was sent
	sightings []sighting
	events    []*event
	started   uint64       // seq of its task/started; 0 where nobody was sent it
	finished  uint64       // seq of its task/finished; 0 where nobody was sent it
	final     *schema.Task // as it was first shown in a final state
}

// sighting is a message that shows a task, in an answer or a notification.
type sighting struct {
	at, client, rank int
	request          *request // nil for a notification
	task             *schema.Task
}

// subscription is a subscribe that was answered.
type subscription struct {
	request  *request
	params   *schema.SubscribeParams
	result   *schema.SubscribeResult
	ids      map[uuid.UUID]bool
	ended    int    // the entry of the answer of its unsubscribe; never is math.MaxInt
	endSeq   uint64 // events with a greater seq came after its end; math.MaxUint64 where that is not known
	replayed int    // the entry of its first subscription/replayed; never is math.MaxInt
	missed   *schema.Missed
}

// build reads a history.
func build(h *History) *index {
	x := &index{history: h, tasks: map[uuid.UUID]*task{}, clients: map[int]*client{}}
	for at := range h.Entries {
		e := &h.Entries[at]
		if e.End != "" {
			c := x.client(e.Client)
			c.left, c.cut = at, e.End == Cut
			continue
		}
		all, array, err := messages(e.Text)
		if err != nil {
			x.failAt("answers", e.Client, at, "a message is not what it should be: %v", err)
			continue
		}
		if e.Sent {
			x.sent(e.Client, at, all, array)
		} else {
			x.received(e.Client, at, all)
		}
	}
	x.endSubscriptions()
	x.endConnections()
	return x
}

func (x *index) client(n int) *client {
	c := x.clients[n]
	if c == nil {
		c = &client{pending: map[string]*request{}, cancelled: map[string]bool{}, left: math.MaxInt}
		x.clients[n] = c
	}
	return c
}

func (x *index) task(id uuid.UUID) *task {
	t := x.tasks[id]
	if t == nil {
		t = &task{id: id}
		x.tasks[id] = t
		x.order = append(x.order, t)
	}
	return t
}

func (x *index) sent(n, at int, all []message, array bool) {
	c := x.client(n)
	for i := range all {
		m := &all[i]
		p, err := paramsOf(m.Method, m.Params)
		if err != nil {
			x.failAt("answers", n, at, "the params of a request cannot be read: %v", err)
			continue
		}
		rq := &request{client: n, at: at, place: i, batch: array, id: string(m.ID), method: m.Method, params: p, position: len(c.requests)}
		c.requests = append(c.requests, rq)
		x.requests = append(x.requests, rq)
		if rq.id != "" {
			c.pending[rq.id] = rq
		}
		if m.Method == schema.MethodShutdown || m.Method == schema.MethodExit {
			c.left, c.shutdown = at, rq
		}
		switch p := p.(type) {
		case *schema.CancelRequestParams:
			c.cancelled[string(p.ID)] = true
		case *schema.CancelParams:
			x.task(p.ID).cancelled = true
		}
	}
}

func (x *index) received(n, at int, all []message) {
	for i := range all {
		m := &all[i]
		if m.Method != "" {
			x.notified(n, at, m)
			continue
		}
		rq := x.client(n).pending[string(m.ID)]
		if rq == nil {
			x.failAt("answers", n, at, "an answer to %s, which was not asked or was answered before", m.ID)
			continue
		}
		delete(x.client(n).pending, string(m.ID))
		rq.answer = &answer{at: at, err: m.Error}
		if m.Error != nil {
			continue
		}
		var err error
		if rq.answer.result, err = resultOf(rq.method, m.Result); err != nil {
			x.failAt("answers", n, at, "the result of %s cannot be read: %v", rq.method, err)
			continue
		}
		x.answered(rq)
	}
}

// answered notes the tasks and the subscription of an answer.
func (x *index) answered(rq *request) {
	switch r := rq.answer.result.(type) {
	case *schema.SubmitResult:
		t := x.task(r.ID)
		t.submits = append(t.submits, rq)
		if !r.Existing && t.fresh == nil {
			t.fresh = rq
		}
	case *schema.SubscribeResult:
		p := rq.params.(*schema.SubscribeParams)
		s := &subscription{request: rq, params: p, result: r, ended: math.MaxInt, endSeq: math.MaxUint64, replayed: math.MaxInt}
		if p.IDs != nil {
			s.ids = map[uuid.UUID]bool{}
		}
		for _, id := range p.IDs {
			s.ids[id] = true
		}
		x.subscriptions = append(x.subscriptions, s)
	}
	tasks := tasksIn(rq.answer.result)
	for i := range tasks {
		x.saw(sighting{rq.answer.at, rq.client, rankOf(tasks[i].State), rq, &tasks[i]}, tasks[i].ID)
	}
}

func (x *index) saw(s sighting, id uuid.UUID) {
	t := x.task(id)
	t.sightings = append(t.sightings, s)
	if s.rank == rankFinal && t.final == nil {
		t.final = s.task
	}
}

func (x *index) notified(n, at int, m *message) {
	ev, err := eventOf(m)
	if err != nil {
		x.failAt("answers", n, at, "a notification cannot be read: %v", err)
		return
	}
	ev.client, ev.at = n, at
	if m.Method == schema.NotifyReplayed {
		x.replayed(ev)
		return
	}
	t := x.task(ev.ID)
	ev.replays = x.possibleReplays(ev)
	x.events = append(x.events, ev)
	t.events = append(t.events, ev)
	x.saw(sighting{at, n, ev.rank, nil, ev.task}, ev.ID)
	switch m.Method {
	case schema.NotifyStarted:
		x.number(t, &t.started, ev)
	case schema.NotifyFinished:
		x.number(t, &t.finished, ev)
	}
}

// number notes the seq of a start or end, which is the same for every client.
func (x *index) number(t *task, known *uint64, ev *event) {
	if *known == 0 {
		*known = ev.Seq
	}
	if *known != ev.Seq {
		x.fail("2", t, "%s has seq %d for client %d, and %d for another", ev.method, ev.Seq, ev.client, *known)
	}
}

func (x *index) replayed(ev *event) {
	for _, s := range x.subscriptions {
		if s.request.client != ev.client || s.result.Subscription != ev.Subscribed || s.ended < ev.at {
			continue
		}
		if s.params.After != nil && s.replayed == math.MaxInt && ev.Seq == s.result.Seq { // else it is of dropped events
			s.replayed, s.missed = ev.at, ev.Missed
		} else {
			x.client(ev.client).fellBack = true
		}
		return
	}
	x.failAt("9", ev.client, ev.at, "subscription/replayed tells of subscription %d, which there is not", ev.Subscribed)
}

// endSubscriptions notes which subscriptions were ended, and a seq that a later answer
// shows: events beyond it came after the end.
func (x *index) endSubscriptions() {
	for _, rq := range x.requests {
		p, ok := rq.params.(*schema.UnsubscribeParams)
		if !ok || rq.answer == nil || rq.answer.err != nil {
			continue
		}
		for _, s := range x.subscriptions {
			if s.request.client != rq.client {
				continue
			}
			if s.result.Subscription == p.Subscription {
				s.ended, s.endSeq = rq.answer.at, x.seqAfter(rq)
			}
		}
	}
}

// endConnections notes what the end of a connection explains: cancelled tasks,
// submits that were not answered, and subscriptions that have ended.
func (x *index) endConnections() {
	for _, c := range x.clients {
		if c.left == math.MaxInt {
			continue
		}
		for _, rq := range c.requests {
			if p, ok := rq.params.(*schema.SubmitParams); ok {
				x.endSubmit(c, rq, p)
			}
		}
	}
	for _, s := range x.subscriptions {
		s.ended = min(s.ended, x.client(s.request.client).left)
	}
}

// endSubmit notes what the end of a connection means for a task that it has submitted.
func (x *index) endSubmit(c *client, rq *request, p *schema.SubmitParams) {
	id, known := p.ID, false
	if r, ok := answerOf[*schema.SubmitResult](rq); ok {
		id, known = r.ID, r.Existing
	}
	t := x.task(id)
	if rq.answer == nil {
		t.lost = append(t.lost, rq)
	}
	if !known && (p.OnDisconnect == schema.OnDisconnectCancel || c.cancelsAll()) {
		t.cancelled = true
	}
}

// cancelsAll reports whether the end of the connection has cancelled its tasks.
func (c *client) cancelsAll() bool {
	if c.shutdown == nil {
		return false
	}
	p, ok := c.shutdown.params.(*schema.ShutdownParams)
	return ok && p.Mode == schema.ShutdownCancel
}

// seqAfter is the seq in the answer of the next subscribe of the client.
func (x *index) seqAfter(rq *request) uint64 {
	for _, s := range x.subscriptions {
		if s.request.client == rq.client && s.request.position > rq.position {
			return s.result.Seq
		}
	}
	return math.MaxUint64
}

// selects reports whether a subscription asks for events of a kind of a task,
// shown in a state.
func (s *subscription) selects(task *schema.Task, kind string, state schema.State) bool {
	p := s.params
	return (s.ids == nil || s.ids[task.ID]) &&
		(p.Types == nil || slices.Contains(p.Types, task.Type)) &&
		(p.States == nil || slices.Contains(p.States, state)) &&
		hasLabels(task.Labels, p.Labels) && asks(p.Events, kind)
}

// possibleReplays are the subscriptions that may have sent an event as a past one.
func (x *index) possibleReplays(ev *event) []*subscription {
	if ev.method != schema.NotifyStarted && ev.method != schema.NotifyFinished {
		return nil
	}
	var may []*subscription
	for _, s := range x.subscriptions {
		if s.request.client == ev.client && s.params.After != nil && s.replayed == math.MaxInt &&
			*s.params.After < ev.Seq && ev.Seq <= s.result.Seq {
			may = append(may, s)
		}
	}
	return may
}

func hasLabels(has, want map[string]string) bool {
	for k, v := range want {
		if got, ok := has[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// submitAsks reports whether a submit asks for a kind of event. A lossless submit asks
// for output.
func submitAsks(p *schema.SubmitParams, kind string) bool {
	return asks(p.Events, kind) || kind == schema.EventOutput && p.Output == schema.OutputLossless
}

// asks reports whether a list of events has a kind. No list is all but output.
func asks(events []string, kind string) bool {
	if events == nil {
		return kind != schema.EventOutput
	}
	return slices.Contains(events, kind)
}
