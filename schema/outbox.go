package schema

import "github.com/google/uuid"

// This file has the submits that wait on the machine of their client.

// OutboxState counts what is in an outbox.
type OutboxState struct {
	// File is "" where there is no outbox.
	File    string `json:"file,omitzero" jsonschema:"the file of the outbox; absent where the server has none"`
	Waiting int    `json:"waiting" jsonschema:"submits that wait to be sent" schema:"minimum=0"`
	Refused int    `json:"refused" jsonschema:"submits that the namespace has refused" schema:"minimum=0"`
	// Damaged are those of which the file no longer has what was written.
	Damaged int `json:"damaged,omitzero" jsonschema:"submits that cannot be sent, because the file no longer has what was written of them" schema:"minimum=0"`
}

// OutboxParams asks for a page of what is in the outbox.
type OutboxParams struct {
	Limit  int    `json:"limit,omitzero" jsonschema:"the most submits to answer with" schema:"minimum=1,maximum=1000,default=100"`
	Cursor string `json:"cursor,omitzero" jsonschema:"the nextCursor of the page before"`
}

// OutboxResult is a page of what is in the outbox.
type OutboxResult struct {
	OutboxState
	Entries    []OutboxEntry `json:"entries" jsonschema:"the submits, in the order in which they are sent"`
	NextCursor string        `json:"nextCursor,omitzero" jsonschema:"where to go on; absent at the end"`
}

// OutboxEntry is a submit that is in the outbox.
type OutboxEntry struct {
	ID        uuid.UUID         `json:"id" jsonschema:"the id of the task"`
	Type      string            `json:"type" jsonschema:"the name of its type"`
	Labels    map[string]string `json:"labels" jsonschema:"names to find the task by"`
	CreatedAt Time              `json:"createdAt" jsonschema:"when it was submitted"`
	// Sending is true of one that the namespace may have already.
	Sending bool `json:"sending,omitzero" jsonschema:"it was sent, and whether it has arrived is not known yet"`
	// Refused is why the namespace does not take it. It is not sent before Resend.
	Refused string `json:"refused,omitzero" jsonschema:"why the namespace has refused it; resend sends it again, and cancel drops it"`
	// Damaged is true of one that cannot be sent. The other members are as far as they can be read.
	Damaged bool `json:"damaged,omitzero" jsonschema:"the file no longer has what was written of it, so it cannot be sent; the other members are what can be read; cancel drops it"`
}

// ResendParams names submits in the outbox that are to be sent again.
type ResendParams struct {
	IDs []uuid.UUID `json:"ids,omitempty" jsonschema:"the tasks; where absent all that were refused" schema:"maxItems=1000"`
}

// ResendResult counts them.
type ResendResult struct {
	Resent int `json:"resent" jsonschema:"how many are sent again; those that were not refused do not count" schema:"minimum=0"`
}
