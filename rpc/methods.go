package rpc

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// method handles one kind of request. The reader calls it, so it must not wait: a
// method that has to wait answers later.
type method func(s *session, ctx context.Context, p *wire.Params, to responder)

// methods is the only list of methods.
var methods = map[string]method{
	schema.MethodInitialize:    (*session).initializeMethod,
	schema.MethodSubmit:        (*session).submit,
	schema.MethodStatus:        lockedMethod((*session).status),
	schema.MethodCancel:        deferred((*session).cancel),
	schema.MethodList:          lockedMethod((*session).list),
	schema.MethodOutput:        lockedMethod((*session).outputMethod),
	schema.MethodInput:         immediate((*session).input),
	schema.MethodSignal:        immediate((*session).signal),
	schema.MethodResize:        immediate((*session).resize),
	schema.MethodTypes:         immediate((*session).types),
	schema.MethodStats:         lockedMethod((*session).stats),
	schema.MethodExplain:       lockedMethod((*session).explain),
	schema.MethodRetry:         deferred((*session).retry),
	schema.MethodUpdate:        lockedMethod((*session).update),
	schema.MethodGroups:        lockedMethod((*session).groups),
	schema.MethodSetGroup:      lockedMethod((*session).setGroup),
	schema.MethodPause:         lockedMethod((*session).pause),
	schema.MethodResume:        lockedMethod((*session).resume),
	schema.MethodSchedule:      lockedMethod((*session).schedule),
	schema.MethodUnschedule:    lockedMethod((*session).unschedule),
	schema.MethodSchedules:     lockedMethod((*session).schedules),
	schema.MethodExecutors:     lockedMethod((*session).executors),
	schema.MethodDrain:         lockedMethod((*session).drain),
	schema.MethodOutbox:        lockedMethod((*session).outboxMethod),
	schema.MethodResend:        lockedMethod((*session).resend),
	schema.MethodDiscover:      immediate((*session).discover),
	schema.MethodSubscribe:     deferred((*session).subscribe),
	schema.MethodUnsubscribe:   deferred((*session).unsubscribe),
	schema.MethodWait:          deferred((*session).wait),
	schema.MethodShutdown:      deferred((*session).shutdownMethod),
	schema.MethodCancelRequest: deferred((*session).cancelRequestMethod, "id"),
	schema.MethodExit:          deferred((*session).exit),
}

// lateMethods are the methods whose replies may take long. Later requests may be
// answered before them.
var lateMethods = []string{schema.MethodWait, schema.MethodShutdown, schema.MethodExit}

// immediate makes a method of a function that answers at once.
func immediate[P any](f func(*session, context.Context, *P) (any, error)) method {
	decode := decoderOf[P]()
	return func(s *session, ctx context.Context, p *wire.Params, to responder) {
		params, err := decode(p)
		if err != nil {
			to.fail(err)
			return
		}
		result, err := f(s, ctx, params)
		if err != nil {
			to.fail(err)
			return
		}
		to.value(result)
	}
}

// lockedMethod makes a method of a function that answers at once with the state of
// the store. It holds mu, for which the pump waits: so an event that is sent before
// the reply is never newer than the reply.
func lockedMethod[P any](f func(*session, context.Context, *P) (any, error)) method {
	answer := immediate(f)
	return func(s *session, ctx context.Context, p *wire.Params, to responder) {
		s.mu.Lock()
		defer s.mu.Unlock()
		answer(s, ctx, p, to)
	}
}

// deferred makes a method of a function that answers by itself, at once or later.
// The members of params that are named in nullable may be null.
func deferred[P any](f func(*session, context.Context, *P, responder), nullable ...string) method {
	decode := decoderOf[P](nullable...)
	return func(s *session, ctx context.Context, p *wire.Params, to responder) {
		params, err := decode(p)
		if err != nil {
			to.fail(err)
			return
		}
		f(s, ctx, params, to)
	}
}

func (s *session) status(ctx context.Context, p *schema.StatusParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	task, err := s.executor.StatusWith(ctx, p)
	if !p.IncludeInput {
		task.Input = nil
	}
	return task, taskError(err, p.ID)
}

// defaultPage is how many tasks a page of list has where the request does not say.
const defaultPage = 100

func (s *session) list(ctx context.Context, p *schema.ListParams) (any, error) {
	if p.Limit == 0 {
		p.Limit = defaultPage
	}
	if !p.Until.IsZero() && p.Since > p.Until {
		return nil, invalid("/since", fmt.Sprintf("%s is after until, which is %s", p.Since, p.Until))
	}
	if err := executor.CheckLabels(maps.All(p.Labels)); err != nil {
		return nil, err
	}
	if strings.Trim(p.ID, "0123456789abcdef-") != "" {
		return nil, invalid("/id", fmt.Sprintf("%q is no part of an id: it has digits, the letters a to f in lower case, and hyphens", schema.Cut(p.ID)))
	}
	page, err := s.executor.List(ctx,
		executor.Filter{States: p.States, Types: p.Types, Labels: p.Labels, Group: p.Group, Key: p.Key, Parent: p.Parent, Executor: p.Executor, ID: p.ID, Since: p.Since, Until: p.Until},
		executor.PageRequest{Oldest: p.Order == schema.OldestFirst, Limit: p.Limit, Cursor: p.Cursor})
	for i := range page.Tasks {
		page.Tasks[i].Input = nil
	}
	return schema.ListResult{Tasks: page.Tasks, NextCursor: page.Next}, err
}

func (s *session) outputMethod(ctx context.Context, p *schema.OutputParams) (any, error) {
	if err := needID(p.ID); err != nil {
		return nil, err
	}
	result, err := s.output(ctx, p)
	return result, taskError(err, p.ID)
}

func (s *session) types(context.Context, *schema.Empty) (any, error) {
	return schema.TypesResult{Types: s.executor.Types()}, nil
}

func (s *session) stats(ctx context.Context, _ *schema.Empty) (any, error) {
	stats, err := s.executor.Stats(ctx)
	if err != nil {
		return nil, err
	}
	stats.Containment = s.executor.Containment()
	stats.Connection.PendingWaits = int64(len(s.waits.pending))
	stats.Connection.PendingBytes = s.budget.used.Load()
	stats.Connection.UnsentBytes = int64(s.out.unsent())
	stats.Version = s.options.Version
	stats.Limits = s.limits()
	return stats, nil
}

// limits are the limits of the server, by name.
func (s *session) limits() map[string]int64 {
	limits := s.executor.Limits()
	limits["messageBytes"] = int64(s.options.MaxMessage)
	limits["batch"] = int64(s.options.MaxBatch)
	limits["waits"] = int64(s.options.MaxWaits)
	limits["waitIds"] = maxWaitIDs
	limits["subscriptions"] = maxSubscriptions
	limits["waitResultBytes"] = maxWaitResults
	limits["pendingBytes"] = maxPending
	limits["shutdowns"] = maxShutdowns
	limits["unsentBytes"] = int64(s.options.MaxUnsent)
	return limits
}

func (s *session) discover(context.Context, *schema.Empty) (any, error) {
	return schema.OpenRPC(), nil
}

func (s *session) cancelRequestMethod(_ context.Context, p *schema.CancelRequestParams, to responder) {
	s.cancelRequest(p.ID)
	to.value(schema.Empty{})
}

// taskError names the task that an error is about.
func taskError(err error, id uuid.UUID) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", id, err)
}
