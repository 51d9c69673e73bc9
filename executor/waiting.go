package executor

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/schema"
)

// This file says why a queued task waits.

const (
	// MaxChain is how many tasks Explain answers at most.
	MaxChain = 100
	// explainTries is how often Explain begins again where a task has ended meanwhile.
	explainTries = 3
)

// Status is the task with the id, with its input. Of a queued task it says what it waits for.
func (e *Executor) Status(ctx context.Context, id uuid.UUID) (schema.Task, error) {
	t, err := e.Task(ctx, id)
	if err == nil && t.State == schema.Queued {
		t.WaitingFor = e.waiting(ctx, &t)
	}
	return t, err
}

// StatusWith is Status with the latest attempts of the task, its children and its terms, as far as the
// params ask for these. The input is always there.
func (e *Executor) StatusWith(ctx context.Context, p *schema.StatusParams) (schema.Task, error) {
	r, err := e.store.Get(ctx, p.ID)
	if err != nil {
		return r.Task, err
	}
	e.showStopped(&r.Task)
	if p.IncludeAttempts {
		r.ShowAttempts()
	}
	if p.IncludeChildren {
		r.Task.Children = r.Children
	}
	if p.IncludeTerms {
		r.Terms = &schema.Terms{TimeoutMs: r.Timeout.Milliseconds(), GraceMs: r.Grace.Milliseconds(), Rerun: r.Rerun}
	}
	if r.State == schema.Queued {
		r.WaitingFor = e.waiting(ctx, &r.Task)
	}
	return r.Task, nil
}

// Explain says what a task waits for, what that waits for, and so on. Of a task that failed because
// of another one it says that one, down to the first that failed.
func (e *Executor) Explain(ctx context.Context, id uuid.UUID) (result schema.ExplainResult, err error) {
	for range explainTries {
		var current bool
		if result, current, err = e.explain(ctx, id); err != nil || current {
			break
		}
	}
	return result, err
}

// explain is one try of Explain. It answers current false where a task of the chain has ended
// meanwhile.
func (e *Executor) explain(ctx context.Context, id uuid.UUID) (result schema.ExplainResult, current bool, err error) {
	failed := false // the first task has ended, and so have those that made it fail
	for {
		t, err := e.Status(ctx, id)
		switch {
		case err != nil && len(result.Chain) == 0:
			return result, false, err
		case err != nil && failed: // it is no longer kept
			return result, true, nil
		case err != nil: // it was there, so it has ended and is no longer kept
			return result, false, nil
		}
		result.Chain = append(result.Chain, schema.Link{
			ID: t.ID, Type: t.Type, State: t.State, Labels: labelsOf(&t), StartedAt: t.StartedAt, WaitingFor: t.WaitingFor,
		})
		failed = failed || len(result.Chain) == 1 && t.State.Final()
		next := nextOf(&t)
		if next == uuid.Nil {
			return result, failed || !t.State.Final(), nil
		}
		if len(result.Chain) == MaxChain {
			result.Truncated = true
			return result, true, nil
		}
		id = next
	}
}

// nextOf is the task for whose end another one waits, or because of which it failed, or the nil
// UUID.
func nextOf(t *schema.Task) uuid.UUID {
	if t.Error != nil {
		return t.Error.Cause
	}
	for i := range t.WaitingFor {
		if ids := t.WaitingFor[i].IDs; len(ids) > 0 {
			return ids[0]
		}
	}
	return uuid.Nil
}

// labelsOf are the labels of a task, and never nil.
func labelsOf(t *schema.Task) map[string]string {
	if t.Labels == nil {
		return map[string]string{}
	}
	return t.Labels
}

// waiting answers what a queued task waits for: what its conditions say, and else its turn.
func (e *Executor) waiting(ctx context.Context, t *schema.Task) []schema.Waiting {
	all := slices.Clone(t.WaitingFor)
	if len(all) > 0 && all[0].Kind == schema.WaitsForOutbox {
		return all // what comes next is not known
	}
	for i := range all {
		e.nameHolders(&all[i])
	}
	if !slices.ContainsFunc(all, isPauseOfAll) && e.store.Info().Paused {
		all = append(all, plan.WaitsForResume())
	}
	switch {
	case t.Conditions != nil && t.Conditions.On != nil:
		if w := e.waitsForExecutor(ctx, t); w != nil {
			all = append(all, *w)
		}
	case !e.drives() && !e.Offers(t.Type):
		all = append(all, schema.Waiting{
			Kind: schema.WaitsForType, Name: t.Type,
			Message: fmt.Sprintf("no tasks of the type %q run here; start a server that has it", t.Type),
		})
	}
	switch {
	case all != nil:
		return all
	case e.leavesToOthers():
		return []schema.Waiting{e.waitsForOthers(ctx, t.Type)}
	}
	return []schema.Waiting{e.waitsForSlot(t.Type)}
}

// isPauseOfAll reports whether a task waits because everything is paused.
func isPauseOfAll(w schema.Waiting) bool { return w.Kind == schema.WaitsForResume && w.Name == "" }

// nameHolders adds the tasks that have what a task waits for, of those that run here.
func (e *Executor) nameHolders(w *schema.Waiting) {
	switch {
	case w.Kind == schema.WaitsForGroup:
		w.IDs, w.Count = e.running(func(r *run) bool { return r.conditions != nil && r.conditions.Group == w.Name })
	case w.Kind == schema.WaitsForResource && w.IDs == nil && *w.Total >= w.Amount:
		w.IDs, w.Count = e.running(func(r *run) bool { return r.conditions != nil && r.conditions.Needs[w.Name] > 0 })
	}
}

// waitsForSlot says what a task waits for that may run.
func (e *Executor) waitsForSlot(typ string) schema.Waiting {
	w := schema.Waiting{Kind: schema.WaitsForSlot}
	taken := 0
	for i := range e.workers {
		if e.workers[i].run.Load() != nil {
			taken++
		}
	}
	limit := int64(e.options.Limit)
	if t := e.types[typ]; t != nil && t.limit > 0 {
		w.IDs, w.Count = e.running(func(r *run) bool { return r.typ == t })
		if w.Count >= t.limit {
			w.Name, w.Total = t.name, new(int64(t.limit))
			w.Message = fmt.Sprintf("no more tasks of the type %q may run at once: the limit is %d", t.name, t.limit)
			return w
		}
	}
	switch {
	case e.stop.begun() && e.stop.current() != schema.ShutdownDrain:
		w.IDs, w.Count, w.Message = nil, 0, "the server is shutting down, and begins no task"
	case taken >= e.options.Limit:
		w.IDs, w.Count = e.running(func(*run) bool { return true })
		w.Total, w.Message = &limit, fmt.Sprintf("no slot is free: the limit is %d", limit)
	default:
		w.IDs, w.Count, w.Message = nil, 0, "it is about to begin"
	}
	return w
}

// running answers the least ids of the tasks that run here and are selected, and how many
// they are.
func (e *Executor) running(selected func(*run) bool) (ids []uuid.UUID, n int) {
	for i := range e.workers {
		r := e.workers[i].run.Load()
		if r == nil || !selected(r) || !r.busy() {
			continue
		}
		ids = append(ids, r.record.ID)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Clip(ids[:min(len(ids), plan.MaxWaitingIDs)]), len(ids)
}
