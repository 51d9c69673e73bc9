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

// denials records what the servers have refused for want of a permission. NATS reports such a refusal as an
// error of the connection, and the request itself gets no answer. A permission may be given later, so a refusal
// ends only the requests that are in flight when it comes.
type denials struct {
	firstRefusal chan struct{} // closed at the first refusal

	mu           sync.Mutex
	latest       error
	nextRefusal  chan struct{} // closed at the next refusal, and made anew
	latestWrite  *refusal      // the latest of a write to the log
	nextWrite    chan struct{} // closed at the next of these, and made anew
	unsubscribed bool          // a subscription of the connection was refused
}

func newDenials() *denials {
	first := make(chan struct{})
	return &denials{firstRefusal: first, nextRefusal: first, nextWrite: make(chan struct{})}
}

// note notes an error of the connection. It reports whether that is a refusal.
func (d *denials) note(err error) bool {
	if !errors.Is(err, natsgo.ErrPermissionViolation) {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	r := deniedError(err)
	d.latest, d.unsubscribed = r, d.unsubscribed || ofSubscription(err)
	close(d.nextRefusal)
	d.nextRefusal = make(chan struct{})
	if r.isWrite {
		d.latestWrite = r
		close(d.nextWrite)
		d.nextWrite = make(chan struct{})
	}
	return true
}

// nextWriteRefusal is closed when the servers next refuse a write to the log.
func (d *denials) nextWriteRefusal() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nextWrite
}

// writeErr is the latest refusal of a write to the log. There must have been one.
func (d *denials) writeErr() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.latestWrite
}

// err is the latest refusal, or nil.
func (d *denials) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.latest
}

// lostSubscription reports whether the servers have refused a subscription of the connection, so that nothing
// arrives on it.
func (d *denials) lostSubscription() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.unsubscribed
}

// noteReconnect notes that there is a new connection, which subscribes again.
func (d *denials) noteReconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unsubscribed = false
}

// cancelOnRefusal makes a context for requests. It ends when the servers refuse something, with the refusal as
// its cause.
func (d *denials) cancelOnRefusal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	d.mu.Lock()
	told := d.nextRefusal
	d.mu.Unlock()
	go func() { // ends with the context
		select {
		case <-told:
			cancel(d.err())
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// refusal says which request the servers have refused for want of a permission.
type refusal struct {
	what    string
	role    Role // the role of the refused subject, or ""
	isWrite bool // it is of a write to the log
}

// isWriteRefusal reports whether an error says that the servers refuse what this process writes to the log.
func isWriteRefusal(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.isWrite
}

func (r *refusal) Error() string {
	cure := "choose the --store-role that it has"
	switch r.role {
	case RoleExecutor:
		cure = "give --store-role driver if it is the user of a driver"
	case RoleDriver:
		cure = "give --store-role viewer if it is the user of a viewer"
	}
	return fmt.Sprintf("the NATS servers do not let this user %s; give it that permission, or %s", r.what, cure)
}

// IsExecutorRefused reports whether an error of Open says that the servers do not let the user write as an
// executor.
func IsExecutorRefused(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	return ok && r.role == RoleExecutor
}

// orRefusal is the refusal that has ended a context of cancelOnRefusal, or else err.
func orRefusal(ctx context.Context, err error) error {
	if refused, ok := errors.AsType[*refusal](context.Cause(ctx)); ok && err != nil {
		return refused
	}
	return err
}

var refusedSubject = regexp.MustCompile(`(?i)for (publish|subscription) to "([^"]*)"`)

// subjectOfRole matches the subjects of the log of any namespace.
var subjectOfRole = regexp.MustCompile(`^jl\.[^.]+\.(executor|driver)$`)

// ofSubscription reports whether a refusal is of a subscription.
func ofSubscription(err error) bool {
	m := refusedSubject.FindStringSubmatch(err.Error())
	return m != nil && strings.EqualFold(m[1], "subscription")
}

// deniedError makes a *refusal of an error of NATS.
func deniedError(err error) *refusal {
	r := &refusal{what: "do what a server of jobline does"}
	if m := refusedSubject.FindStringSubmatch(err.Error()); m != nil {
		r.what = fmt.Sprintf("%s to %q", map[string]string{"publish": "publish", "subscription": "subscribe"}[strings.ToLower(m[1])], m[2])
		if own := subjectOfRole.FindStringSubmatch(m[2]); own != nil {
			r.role, r.isWrite = Role(own[1]), !ofSubscription(err)
		}
	}
	return r
}
