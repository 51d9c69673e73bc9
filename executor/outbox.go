package executor

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/schema"
)

// Outbox is what a store is, too, that keeps submits while the store behind it cannot be reached, and sends them
// later.
type Outbox interface {
	// Post is Store.Submit, but what cannot be recorded now is kept on the disk of this machine: it is queued, and
	// waits for the outbox. It is a *FullError where the outbox has no room.
	Post(ctx context.Context, submissions []Submission) ([]Submitted, error)
	// State counts what is in the outbox.
	State() schema.OutboxState
	// Entries answers a page of what is in the outbox, in the order in which it is sent, and the cursor of the
	// next page, or "".
	Entries(cursor string, limit int) ([]schema.OutboxEntry, string, error)
	// Resend lets submits be sent again that were refused: those of the ids, or all. It answers how many.
	Resend(ids []uuid.UUID) (int, error)
}

// Outbox answers a page of the submits that wait to be sent, or were refused. Where there is no outbox it names
// no file.
func (e *Executor) Outbox(cursor string, limit int) (result schema.OutboxResult, err error) {
	result.Entries = []schema.OutboxEntry{}
	if o, keeps := e.store.(Outbox); keeps {
		result.Entries, result.NextCursor, err = o.Entries(cursor, limit)
		result.OutboxState = o.State()
	}
	return result, err
}

// Resend lets submits be sent again that were refused: those of the ids, or all. It answers how many.
func (e *Executor) Resend(ids []uuid.UUID) (int, error) {
	if o, keeps := e.store.(Outbox); keeps {
		return o.Resend(ids)
	}
	return 0, nil
}

// outboxState counts what is in the outbox of the store, or is nil.
func (e *Executor) outboxState() *schema.OutboxState {
	if o, keeps := e.store.(Outbox); keeps {
		return new(o.State())
	}
	return nil
}

// sendsLater reports whether something waits to be sent.
func (e *Executor) sendsLater() bool {
	s := e.outboxState()
	return s != nil && s.Waiting > 0
}
