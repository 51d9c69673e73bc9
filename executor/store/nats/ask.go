package nats

import (
	"context"
	"time"
)

const (
	// askPatience is how long each question about a stream may take.
	askPatience = 5 * time.Second
	// askFirst is how long the first try of a question may take, and each further one takes twice as long.
	askFirst = 500 * time.Millisecond
)

// asks asks the servers a question, and again where no answer comes: a question is lost where a leader is elected
// meanwhile, or the connection breaks.
func asks[T any](ctx context.Context, question func(context.Context) (T, error)) (answer T, err error) {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	for patience := askFirst; ; patience *= 2 {
		try, end := context.WithTimeout(ctx, patience)
		answer, err = question(try)
		unanswered := err != nil && try.Err() != nil
		end()
		if !unanswered || ctx.Err() != nil {
			return answer, err
		}
	}
}
