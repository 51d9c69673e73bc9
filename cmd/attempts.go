package cmd

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// This file shows the attempts of tasks that were tried again.

// inFull asks for all that is known of tasks: their inputs, where these are wanted, their attempts,
// where they may have had several, and how many parts they have. A task that is no longer kept stays as
// it is.
func inFull(ctx context.Context, c *client.Client, tasks []schema.Task, input bool) error {
	return eachTask(ctx, callsAtOnce, tasks, func(ctx context.Context, t *schema.Task) error {
		full, err := c.Status(ctx, schema.StatusParams{ID: t.ID, IncludeInput: input, IncludeAttempts: true, IncludeChildren: true, IncludeTerms: true})
		if isNotFound(err) {
			return nil
		}
		if full.Attempt == 0 || full.Attempt == 1 && !full.StartedAt.IsZero() {
			full.Attempts = nil
		}
		*t = full
		return err
	})
}

// addAttempts adds the attempts of a task that have ended, where it has had more than one.
func addAttempts(t *schema.Task, now time.Time, add func(name, text string, s style)) {
	for i := range t.Attempts {
		a := &t.Attempts[i]
		if a.FinishedAt.IsZero() {
			continue
		}
		how := t.State.String()
		if a.Error != nil {
			how = a.Error.Message
		}
		ran := show.Span(a.FinishedAt.Time().Sub(a.StartedAt.Time()))
		if a.RanOn != nil {
			ran += " on " + a.RanOn.Executor
		}
		ended := fmt.Sprintf("%s; ran %s, ended %s ago", how, ran, show.Age(a.FinishedAt, now))
		add(fmt.Sprintf("attempt %d", a.Attempt), ended, plain)
	}
}

// retryText says how often a task is tried.
func retryText(p *schema.Retry) string {
	if p == nil {
		return ""
	}
	text := fmt.Sprintf("at most %s", counted(int(p.MaxAttempts), "attempt"))
	if p.DelayMs != nil {
		text += "; waits " + exactMs(*p.DelayMs)
	}
	if p.Factor > 1 && (p.DelayMs == nil || *p.DelayMs > 0) {
		text += fmt.Sprintf(", then %g times as long each", p.Factor)
		if p.MaxDelayMs > 0 {
			text += ", up to " + exactMs(p.MaxDelayMs)
		}
	}
	if p.Jitter != nil && *p.Jitter > 0 && (p.DelayMs == nil || *p.DelayMs > 0) {
		text += fmt.Sprintf(", %g%% more or less", math.Round(*p.Jitter*1000)/10)
	}
	if p.On != nil {
		text += "; after"
		for _, kind := range p.On {
			text += " " + string(kind)
		}
	}
	return text
}

// exactMs is a time of the protocol, without a loss.
func exactMs(ms int64) string { return show.Exact(time.Duration(ms) * time.Millisecond) }

// retryingText says that an attempt has failed, and when the next one begins.
func retryingText(ev *schema.RetryingEvent, now time.Time) string {
	what := "the task has put itself off"
	if ev.Error != nil {
		what = fmt.Sprintf("attempt %d failed: %s", ev.Attempt, ev.Error.Message)
	}
	if wait := ev.RunAt.Time().Sub(now); wait >= time.Second {
		return fmt.Sprintf("%s; it is tried again in %s", what, show.Span(wait))
	}
	return what + "; it is tried again"
}

// byAttempt calls show with pieces of the output of a task that each belong to one attempt, and
// tells where another attempt begins.
func (p *logPrinter) byAttempt(attempts []schema.Attempt, show func(logPiece) error) func(logPiece) error {
	if len(attempts) < 2 || !p.marksAttempts() {
		return show
	}
	return func(piece logPiece) error {
		if p.attempts[piece.id] == 0 { // before the first there is no mark
			p.attempts[piece.id] = attempts[0].Attempt
		}
		for len(piece.data) > 0 {
			attempt, until := attemptAt(attempts, piece)
			if err := p.attempt(piece.id, attempt); err != nil {
				return err
			}
			part := piece
			part.data = piece.data[:until-piece.offset]
			if err := show(part); err != nil {
				return err
			}
			piece.data, piece.offset = piece.data[len(part.data):], until
		}
		return nil
	}
}

// attemptAt is the attempt that wrote the beginning of a piece, and the offset up to which the
// piece is its own.
func attemptAt(attempts []schema.Attempt, piece logPiece) (attempt int32, until int64) {
	attempt, until = attempts[0].Attempt, piece.offset+int64(len(piece.data))
	for i := range attempts {
		if attempts[i].Output == nil {
			continue
		}
		switch from := attempts[i].Output.Of(piece.stream).From; {
		case from <= piece.offset:
			attempt = attempts[i].Attempt
		case from < until:
			until = from
		}
	}
	return attempt, until
}
