package nats

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"

	natsgo "github.com/nats-io/nats.go"
)

// denials keeps the first request that the servers have refused for want of a permission. NATS reports such a
// refusal as an error of the connection, and the request itself gets no answer.
type denials struct {
	mu    sync.Mutex
	first error
	told  chan struct{} // closed at the first
}

func newDenials() *denials { return &denials{told: make(chan struct{})} }

// note notes an error of a connection. It reports whether it is a refusal.
func (d *denials) note(err error) bool {
	if !errors.Is(err, natsgo.ErrPermissionViolation) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first == nil {
		d.first = deniedError(err)
		close(d.told)
	}
	return true
}

// err is the first refusal, or nil.
func (d *denials) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
}

// until makes a context for requests. It ends when the servers refuse one.
func (d *denials) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with the context
		select {
		case <-d.told:
			cancel(d.err())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var refusedSubject = regexp.MustCompile(`(?i)for (publish|subscription) to "([^"]*)"`)

// deniedError says what a user of the servers lacks.
func deniedError(err error) error {
	what := "do what a server of jobline does"
	if m := refusedSubject.FindStringSubmatch(err.Error()); m != nil {
		what = fmt.Sprintf("%s to %q", map[string]string{"publish": "publish", "subscription": "subscribe"}[strings.ToLower(m[1])], m[2])
	}
	return fmt.Errorf("the NATS servers do not let this user %s; give it that permission, or choose the --store-role that it has", what)
}
