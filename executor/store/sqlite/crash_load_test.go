package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

const (
	submitters = 4
	claimers   = 5
)

// load is a program at work with a store. It tells each fact after it was told.
type load struct {
	store *Store
	tell  func(fact)
	// hung are tasks that run until they are cancelled; recent are some others.
	hung, recent chan uuid.UUID
	claimer      executor.Claimer
}

// run works until ctx is over or the store is closed.
func (l *load) run(ctx context.Context, random *rand.Rand) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.hung, l.recent = make(chan uuid.UUID, claimers), make(chan uuid.UUID, 64)
	w, err := l.store.Watch(ctx)
	if err != nil {
		return
	}
	defer w.Close()
	if _, _, err := w.Subscribe(ctx, executor.Selector{Events: executor.AllEvents}); err != nil {
		return
	}
	if l.claimer, err = l.store.Join(ctx, executor.Offer{Limits: executor.TypeLimits{"slow": 2}}); err != nil {
		return
	}
	var all sync.WaitGroup
	worker := func(work func(context.Context, *rand.Rand)) {
		r := rand.New(rand.NewPCG(random.Uint64(), 0))
		all.Go(func() { work(ctx, r) })
	}
	worker(func(ctx context.Context, _ *rand.Rand) { l.watch(ctx, w) })
	worker(l.cancel)
	worker(l.reschedule)
	for range submitters {
		worker(l.submit)
	}
	for range claimers {
		worker(l.claim)
	}
	all.Wait()
}

func (l *load) submit(ctx context.Context, random *rand.Rand) {
	for ctx.Err() == nil {
		batch := make([]executor.Submission, 1+random.IntN(3))
		for i := range batch {
			batch[i] = planned(uuid.Must(uuid.NewV7()))
			batch[i].Conditions = conditionsOf(batch[i].ID)
		}
		answers, err := l.store.Submit(ctx, batch)
		if errors.Is(err, executor.ErrClosed) {
			return
		}
		for i := range batch {
			id := batch[i].ID
			switch {
			case errors.Is(err, executor.ErrStoreUnavailable) && ctx.Err() == nil: // or what became of it is not known
				l.tell(fact{what: factRefused, id: id})
			case err == nil && (answers[i].Existing || answers[i].Err != nil && isDuplicate(answers[i].Err)):
				l.tell(fact{what: factRefused, id: id})
			case err == nil && answers[i].Err == nil:
				l.tell(fact{what: factAcked, id: id})
				select {
				case l.recent <- id:
				default:
				}
			}
		}
	}
}

func isDuplicate(err error) bool {
	_, is := errors.AsType[*executor.DuplicateError](err)
	return is
}

// pair are two schedules that say the same at any time.
var pair = [2]string{"one", "other"}

// reschedule changes both schedules, again and again.
func (l *load) reschedule(ctx context.Context, _ *rand.Rand) {
	said, err := pairOf(ctx, l.store)
	if err != nil {
		return
	}
	for ctx.Err() == nil {
		said++
		text := fmt.Append(nil, said)
		switch err := l.store.SetSchedules(ctx, executor.ScheduleText{Name: pair[0], Text: text}, executor.ScheduleText{Name: pair[1], Text: text}); {
		case err == nil:
			l.tell(fact{what: factSet, seq: said})
		case errors.Is(err, executor.ErrClosed):
			return
		}
	}
}

// pairOf is what both schedules say. That they say different things is an error.
func pairOf(ctx context.Context, s *Store) (said uint64, err error) {
	all, err := s.Schedules(ctx)
	if err != nil || len(all) == 0 {
		return 0, err
	}
	if len(all) != len(pair) || !bytes.Equal(all[0].Text, all[1].Text) {
		return 0, fmt.Errorf("the schedules are %q", all)
	}
	return strconv.ParseUint(string(all[0].Text), 10, 64)
}

func (l *load) claim(ctx context.Context, _ *rand.Rand) {
	for ctx.Err() == nil {
		lease, err := l.claimer.Claim(ctx, executor.Ended{})
		if err != nil {
			return
		}
		l.runTask(ctx, lease)
		lease.Release()
	}
}

// runTask is the code of a task.
func (l *load) runTask(ctx context.Context, lease executor.Lease) {
	r := lease.Record()
	l.tell(fact{what: factBegun, id: r.ID})
	told := make(chan error, 1)
	lease.OnRevoke(func(cause error) {
		select {
		case told <- cause:
		default:
		}
	})
	_ = lease.Started(0) // what a lease answers that was lost
	_ = lease.Write(schema.Stdout, outputOf(r.ID))
	if l.failFirst(lease) {
		return
	}
	o := outcomeOf(r.ID)
	if hangs(r.ID) {
		select {
		case l.hung <- r.ID:
		case <-ctx.Done():
			return
		}
		select {
		case cause := <-told:
			if c, ok := errors.AsType[*executor.Cancellation](cause); ok {
				o = c.Outcome()
			}
		case <-ctx.Done():
			return
		}
	}
	lease.Finish(o, func(err error) {
		if err == nil {
			l.tell(fact{what: factFinal, id: r.ID, text: o.State.String()})
		}
	})
}

// failFirst ends an attempt that another one follows, if it is one.
func (l *load) failFirst(lease executor.Lease) bool {
	r := lease.Record()
	counted := int(r.Attempt)
	if r.History != nil {
		counted -= int(r.History.Reruns)
	}
	if counted > failsFirst(r.ID) {
		return false
	}
	l.tell(fact{what: factTried, id: r.ID})
	failed := &schema.TaskError{Kind: schema.KindTaskError, Message: r.ID.String()}
	lease.Retry(&executor.NextAttempt{At: schema.Now(), Error: failed}, func(err error) {
		if err == nil {
			l.tell(fact{what: factAgain, id: r.ID})
		}
	})
	return true
}

func (l *load) cancel(ctx context.Context, _ *rand.Rand) {
	for {
		var id uuid.UUID
		select {
		case id = <-l.hung:
		case <-ctx.Done():
			return
		}
		parts := l.submitParts(ctx, id)
		ids := []uuid.UUID{id}
		select {
		case other := <-l.recent:
			ids = append(ids, other)
		default:
		}
		answers, err := l.store.Cancel(ctx, ids, executor.Cancellation{Reason: "no longer wanted"})
		if errors.Is(err, executor.ErrClosed) {
			return
		}
		for i := range answers {
			l.tellCancel(ids[i], &answers[i])
		}
		for _, part := range parts {
			if r, err := l.store.Get(ctx, part); err == nil && r.State.Final() {
				l.tell(fact{what: factFinal, id: part, text: schema.Cancelled.String()})
			}
		}
	}
}

// submitParts submits parts of a task, and parts of those.
func (l *load) submitParts(ctx context.Context, id uuid.UUID) (parts []uuid.UUID) {
	for depth := range byte(3) {
		part := planned(partOf(id, depth+1))
		part.Conditions = &schema.Conditions{RunAt: partsAt, Parent: id}
		if depth > 0 {
			part.Conditions.Parent = parts[depth-1]
		}
		answers, err := l.store.Submit(ctx, []executor.Submission{part})
		if err != nil || answers[0].Err != nil {
			return parts
		}
		l.tell(fact{what: factAcked, id: part.ID})
		parts = append(parts, part.ID)
	}
	return parts
}

func (l *load) tellCancel(id uuid.UUID, a *executor.CancelAnswer) {
	switch a.Outcome {
	case schema.OutcomeCancelled:
		l.tell(fact{what: factFinal, id: id, text: schema.Cancelled.String()})
	case schema.OutcomeCancelling:
		if l.store.Info().Fault == "" { // else the wish is told before it is recorded
			l.tell(fact{what: factAsked, id: id})
		}
	}
}

// watch tells the ends that a client would see.
func (l *load) watch(ctx context.Context, w executor.Watcher) {
	for {
		events, err := w.Next(ctx)
		if err != nil {
			return
		}
		for i := range events {
			ev := &events[i]
			if ev.Kind != executor.EventFinished {
				continue
			}
			l.tell(fact{what: factEnded, id: ev.ID, seq: ev.Seq, text: asText(ev.Task)})
		}
		if n := len(events); n > 0 {
			l.tell(fact{what: factSeq, seq: events[n-1].Seq})
		}
	}
}

// asTold is a task as JSON as the event of its end has it.
func asTold(t *schema.Task) string {
	told := *t
	told.Input = nil
	return asText(&told)
}

// asText is a task as JSON.
func asText(t *schema.Task) string {
	b, err := json.Marshal(t, json.Deterministic(true))
	if err != nil {
		panic(err) // a task is JSON
	}
	return string(b)
}
