package nats

import (
	"context"
	"time"
)

const (
	// askTimeout bounds a request about a stream, with all its tries.
	askTimeout = 5 * time.Second
	// firstAskTimeout bounds the first try. Each further try gets twice as long as the one before.
	firstAskTimeout = 500 * time.Millisecond
)

// askServers sends a request to the servers, and sends it again if no answer comes: a request is lost when a
// leader is elected at that time, or the connection breaks. A request must be safe to repeat.
func askServers[T any](ctx context.Context, question func(context.Context) (T, error)) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for patience := firstAskTimeout; ; patience *= 2 {
		try, end := context.WithTimeout(ctx, patience)
		answer, err = question(try)
		unanswered := err != nil && try.Err() != nil
		end()
		if !unanswered || ctx.Err() != nil {
			return answer, err
		}
	}
}
