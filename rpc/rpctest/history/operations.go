package history

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// submit is a request that makes a task.
func (p *player) submit() []byte {
	s := schema.SubmitParams{
		ID: p.newID(), Type: typeNames[p.random.IntN(len(typeNames))],
		Priority: &[]int{-5, 0, 0, 0, 5, 9}[p.random.IntN(6)], Events: p.events(),
	}
	in := Input{}
	if s.Type != quickType {
		in.Ms = p.random.IntN(3)
	}
	if s.Type == readingType {
		in.Ms = p.random.IntN(10) // so that something comes while it runs
	}
	if s.Type == chattyType {
		in.Lines = []int{1, 3, 3, 200}[p.random.IntN(4)]
	}
	s.Input = jsontext.Value(text(in))
	if p.oneIn(8) {
		s.TimeoutMs = 1 + p.random.Int64N(2)
	}
	grace := p.random.Int64N(3) // so that deaf tasks are given up soon
	s.GraceMs = &grace
	if p.oneIn(3) {
		s.Labels = p.labels()
	}
	if p.oneIn(4) {
		p.conditions(&s)
	}
	s.Output = p.delivery()
	if p.leaves && p.oneIn(6) {
		s.OnDisconnect = schema.OnDisconnectCancel
	}
	if p.oneIn(10) && !p.leaves { // a client that leaves submits again what was not answered
		s.ID = uuid.UUID{} // the server chooses
	} else {
		p.own = append(p.own, s.ID)
		p.pool.submitted(s)
	}
	return p.call(schema.MethodSubmit, s)
}

// reach sends something to a task, which is often a running one that takes it.
func (p *player) reach() []byte {
	id := p.task()
	switch p.random.IntN(6) {
	case 0:
		signals := []schema.Signal{schema.SignalStop, schema.SignalCont, schema.SignalInt}
		return p.call(schema.MethodSignal, schema.SignalParams{ID: id, Signal: signals[p.random.IntN(len(signals))]})
	case 1:
		return p.call(schema.MethodResize, schema.ResizeParams{ID: id, Rows: 24, Columns: 80})
	}
	return p.call(schema.MethodInput, schema.InputParams{ID: id, Data: inputText(p.number, p.requests)})
}

// resubmit submits a task of any client again, or a different task with its id.
func (p *player) resubmit() []byte {
	s, ok := p.pool.randomSubmit(p.random)
	if !ok {
		return p.submit()
	}
	s.Events, s.Output = p.events(), p.delivery()
	if p.oneIn(5) {
		s.Input = jsontext.Value(`{"ms":7}`)
	}
	return p.call(schema.MethodSubmit, s)
}

// delivery chooses how output is sent. A client that does not read must not ask for
// lossless output, nor may a batch that has a wait.
func (p *player) delivery() schema.OutputDelivery {
	if p.stalls || p.batching || !p.oneIn(6) {
		return ""
	}
	return schema.OutputLossless
}

func (p *player) labels() map[string]string {
	return map[string]string{"color": []string{"red", "green", "blue"}[p.random.IntN(3)]}
}

// events chooses the events of a submit or subscribe.
func (p *player) events() []string {
	return [][]string{
		nil, nil, nil, {}, {schema.EventFinished}, {schema.EventStarted, schema.EventFinished}, {schema.EventOutput},
		{schema.EventStarted, schema.EventProgress, schema.EventOutput, schema.EventFinished},
	}[p.random.IntN(8)]
}

// wait asks for the end of some tasks, or of many.
func (p *player) wait() []byte {
	n := 1 + p.random.IntN(4)
	if p.oneIn(20) {
		n = 100 + p.random.IntN(200)
	}
	w := schema.WaitParams{}
	for range n {
		w.IDs = append(w.IDs, p.task())
	}
	if p.oneIn(2) {
		w.Until = schema.UntilAny
	}
	if p.oneIn(2) {
		ms := p.random.Int64N(4)
		w.TimeoutMs = &ms
	}
	return p.call(schema.MethodWait, w)
}

// A rush, and a purge, come about once in rushEvery operations, and have maxRush at most.
const (
	rushEvery = 100
	maxRush   = 200
)

// rush submits many tasks at once and waits for them while they end.
func (p *player) rush() {
	w := schema.WaitParams{Until: schema.UntilAny}
	for range 50 + p.random.IntN(maxRush-50) {
		s := schema.SubmitParams{ID: p.newID(), Type: quickType}
		p.own = append(p.own, s.ID)
		p.pool.submitted(s)
		p.add(schema.MethodSubmit, s)
		w.IDs = append(w.IDs, s.ID)
	}
	if p.oneIn(3) {
		w.Until = schema.UntilAll
	}
	if p.oneIn(2) {
		slices.Reverse(w.IDs)
	}
	p.add(schema.MethodWait, w)
}

// purge submits some tasks, and cancels them and others in a row.
func (p *player) purge() {
	for range p.random.IntN(30) {
		s := schema.SubmitParams{ID: p.newID(), Type: quickType}
		p.own = append(p.own, s.ID)
		p.pool.submitted(s)
		p.add(schema.MethodSubmit, s)
	}
	force := p.oneIn(4)
	for range 20 + p.random.IntN(maxRush-50) {
		p.unsent = append(p.unsent, p.cancel(force != p.oneIn(50)))
	}
}

// cancel cancels a task.
func (p *player) cancel(force bool) []byte {
	return p.call(schema.MethodCancel, schema.CancelParams{ID: p.task(), Force: force})
}

// list asks for a page of a selection, or for the next page of all tasks.
func (p *player) list() []byte {
	l := schema.ListParams{Limit: 1 + p.random.IntN(30)}
	if p.oneIn(2) {
		l.Order = schema.OldestFirst
	}
	switch p.random.IntN(4) {
	case 0:
		l.States, l.Limit = []schema.State{schema.Running}, 100
	case 1:
		l.Types = []string{typeNames[p.random.IntN(len(typeNames))]}
	case 2:
		l.Labels, l.States = p.labels(), []schema.State{schema.Queued, schema.Completed}
	default:
		p.connection.mu.Lock()
		if next := p.connection.page; next.Cursor != "" {
			l = next
		}
		p.connection.mu.Unlock()
	}
	return p.call(schema.MethodList, l)
}

// maxSubscriptions is about how many a client has at once; the server allows 64.
const maxSubscriptions = 20

// subscribe asks for events of some tasks, or of all.
func (p *player) subscribe() []byte {
	p.connection.mu.Lock()
	active := len(p.connection.active)
	p.connection.mu.Unlock()
	if active > maxSubscriptions {
		return p.unsubscribe()
	}
	s := schema.SubscribeParams{Events: p.events()}
	if p.oneIn(3) {
		s.Types = []string{typeNames[p.random.IntN(len(typeNames))]}
	}
	if p.oneIn(4) {
		s.Labels = p.labels()
	}
	if p.oneIn(4) {
		s.IDs = []uuid.UUID{p.task(), p.task(), p.task()}
	}
	if p.oneIn(5) {
		s.States = []schema.State{schema.Completed, schema.Failed}
	}
	if p.oneIn(2) {
		p.connection.mu.Lock()
		after := p.connection.seq
		p.connection.mu.Unlock()
		switch p.random.IntN(3) {
		case 0:
			after -= min(after, p.random.Uint64N(200))
		case 1:
			after = p.random.Uint64N(after + 1)
		}
		s.After = &after
	}
	return p.call(schema.MethodSubscribe, s)
}

// unsubscribe ends a subscription, so that there are not too many.
func (p *player) unsubscribe() []byte {
	p.connection.mu.Lock()
	active := p.connection.active
	if len(active) > 1 { // the first stays
		p.connection.active = append(active[:1:1], active[2:]...)
	}
	p.connection.mu.Unlock()
	if len(active) <= 1 {
		return p.call(schema.MethodStats, schema.Empty{})
	}
	return p.call(schema.MethodUnsubscribe, schema.UnsubscribeParams{Subscription: active[1]})
}
