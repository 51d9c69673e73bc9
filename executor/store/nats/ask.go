package nats

import (
	"context"
	"time"
)

const (
	// askTimeout is how long each question about a stream may take.
	askTimeout = 5 * time.Second
	// firstAskTimeout is how long the first try of a question may take, and each further one takes twice as long.
	firstAskTimeout = 500 * time.Millisecond
)

// askServers asks the servers a question, and again where no answer comes: a question is lost where a leader is elected
// meanwhile, or the connection breaks.
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
