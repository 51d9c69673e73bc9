package top

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// How often the executor is looked at.
const (
	statsEvery   = time.Second            // its numbers, and the lists that are out of date
	drawEvery    = 250 * time.Millisecond // the most often that the screen changes because of events
	outputEvery  = 250 * time.Millisecond // what the shown task has written
	connectEvery = time.Second            // where the server has gone
)

// worksAtOnce is how many tasks are asked for what they do in a look at the executor.
const worksAtOnce = 64

// wants is what the screen needs to know.
type wants struct {
	detail uuid.UUID   // the task of the detail pane; the nil UUID for none
	work   []uuid.UUID // the tasks on the screen
	filter filter      // of the queue, which is not here as a whole
	parts  []uuid.UUID // the tasks that show their parts
}

// Messages to the screen, beside snapshot and detail.
type (
	// goneMsg says that the connection has ended, and why.
	goneMsg struct{ err error }
	// backMsg says that there is a connection again.
	backMsg struct{}
)

// source tells the screen what becomes of the executor.
type source struct {
	first     *client.Client
	reconnect func(context.Context) (*client.Client, error)
	send      func(any) // gives a message to the screen

	mu     sync.Mutex
	client *client.Client // nil where the server has gone
	want   wants

	wanted chan struct{} // has room for one: want has changed
	detail chan struct{} // the same for the reader of output
}

func newSource(c *client.Client, reconnect func(context.Context) (*client.Client, error), send func(any)) *source {
	return &source{first: c, reconnect: reconnect, send: send, client: c, wanted: make(chan struct{}, 1), detail: make(chan struct{}, 1)}
}

// set says what the screen needs to know from now on.
func (s *source) set(w wants) {
	s.mu.Lock()
	changed := w.filter.remote() != s.want.filter.remote() || !slices.Equal(w.work, s.want.work) || !slices.Equal(w.parts, s.want.parts)
	other := w.detail != s.want.detail
	s.want = w
	s.mu.Unlock()
	if changed {
		signal(s.wanted)
	}
	if other {
		signal(s.detail)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *source) wants() wants {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.want
}

// errGone is the error of a call while there is no connection.
var errGone = errors.New("the server has gone")

// current is the client for a call.
func (s *source) current() (*client.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		return nil, errGone
	}
	return s.client, nil
}

// run follows the executor until ctx ends, on one connection after the other. Its error
// is a fault of this program.
func (s *source) run(ctx context.Context) error {
	for c := s.first; c != nil; c = s.again(ctx) {
		err := s.follow(ctx, c)
		s.mu.Lock()
		s.client = nil
		s.mu.Unlock()
		_ = c.Close() // the first error says more
		if _, crashed := errors.AsType[*crash](err); crashed {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		s.send(goneMsg{err})
	}
	return nil
}

// again waits for a server, and answers nil when ctx has ended.
func (s *source) again(ctx context.Context) *client.Client {
	for wait(ctx, connectEvery, nil) {
		if c, err := s.reconnect(ctx); err == nil {
			s.mu.Lock()
			s.client = c
			s.mu.Unlock()
			s.send(backMsg{})
			return c
		}
	}
	return nil
}

// wait waits for a time or until woken, and reports whether ctx has not ended.
func wait(ctx context.Context, d time.Duration, woken <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-ctx.Done():
		return false
	}
	return true
}

// follow tells the screen what becomes of the executor until the connection or ctx ends.
func (s *source) follow(ctx context.Context, c *client.Client) error {
	events := []string{schema.EventStarted, schema.EventProgress, schema.EventRetrying, schema.EventUpdated, schema.EventFinished}
	if _, err := c.Subscribe(ctx, schema.SubscribeParams{Events: events}); err != nil {
		return err
	}
	w, changed := newWorld(), make(chan struct{}, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return whole(func() error { return s.listen(ctx, c, w, changed) }) })
	g.Go(func() error { return whole(func() error { return s.look(ctx, c, w) }) })
	g.Go(func() error { return whole(func() error { return s.draw(ctx, w, changed) }) })
	g.Go(func() error { return whole(func() error { return s.readOutput(ctx, c) }) })
	return g.Wait()
}

// listen takes note of events.
func (s *source) listen(ctx context.Context, c *client.Client, w *world, changed chan struct{}) error {
	for ev := range c.Events(ctx) {
		w.event(ev)
		signal(changed)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	_, err := c.Stats(ctx) // after the end of a connection every call says why
	return cmp.Or(err, errGone)
}

// draw sends the screen what has changed, not too often.
func (s *source) draw(ctx context.Context, w *world, changed <-chan struct{}) error {
	for {
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if !wait(ctx, drawEvery, nil) {
			return context.Cause(ctx)
		}
		s.send(w.snapshot(time.Now()))
	}
}

// look asks for the server's numbers, and for the lists that are out of date.
func (s *source) look(ctx context.Context, c *client.Client, w *world) error {
	final := schema.ListParams{States: []schema.State{schema.Completed, schema.Failed, schema.Cancelled}, Limit: mostEnded}
	ended, err := c.List(ctx, final)
	if err != nil {
		return err
	}
	w.listedEnded(ended.Tasks)
	var shown []uuid.UUID // the tasks whose parts were asked for
	for next, nextAround := (time.Time{}), (time.Time{}); ; {
		want, now := s.wants(), time.Now()
		due := !now.Before(next)
		if due {
			next = now.Add(statsEvery)
			stats, err := c.Stats(ctx)
			if err != nil {
				return err
			}
			w.counted(stats, now)
		}
		if !now.Before(nextAround) {
			nextAround = now.Add(aroundEvery)
			if err := s.lookAround(ctx, c, w); err != nil {
				return err
			}
		}
		if filtered := w.filteredBy(want.filter.remote()); due || filtered {
			if err := s.refresh(ctx, c, w, want.filter); err != nil {
				return err
			}
		}
		if due && len(want.parts) > 0 || !slices.Equal(shown, want.parts) {
			shown = want.parts
			if err := s.lookAtParts(ctx, c, w, shown); err != nil {
				return err
			}
		}
		if err := s.learn(ctx, c, w, want.work); err != nil {
			return err
		}
		s.send(w.snapshot(time.Now()))
		if !wait(ctx, drawEvery, nil) || !wait(ctx, time.Until(next), s.wanted) {
			return context.Cause(ctx)
		}
	}
}

// refresh asks for the lists that are out of date.
func (s *source) refresh(ctx context.Context, c *client.Client, w *world, f filter) error {
	running, queue := w.takeStale()
	if running {
		if err := s.listRunning(ctx, c, w); err != nil {
			return err
		}
	}
	if queue {
		return s.listQueue(ctx, c, w, f)
	}
	return nil
}

func (s *source) listRunning(ctx context.Context, c *client.Client, w *world) error {
	p := schema.ListParams{States: []schema.State{schema.Running}, Order: schema.OldestFirst, Limit: mostRunning}
	var found []schema.Task
	for {
		page, err := c.List(ctx, p)
		if err != nil {
			return err
		}
		found = append(found, page.Tasks...)
		if p.Cursor = page.NextCursor; p.Cursor == "" || len(found) >= mostRunning {
			break
		}
	}
	w.listedRunning(found[:min(len(found), mostRunning)])
	return nil
}

func (s *source) listQueue(ctx context.Context, c *client.Client, w *world, f filter) error {
	p := f.params()
	p.States, p.Order, p.Limit = []schema.State{schema.Queued}, schema.OldestFirst, mostQueued
	page, err := c.List(ctx, p)
	if err != nil {
		return fmt.Errorf("list the queue: %w", err)
	}
	w.listedQueue(page.Tasks, page.NextCursor != "")
	return nil
}

// learn asks what the tasks on the screen do, where that is not known.
func (s *source) learn(ctx context.Context, c *client.Client, w *world, ids []uuid.UUID) error {
	unknown := w.unknownWork(ids)
	for _, id := range unknown[:min(len(unknown), worksAtOnce)] {
		t, err := c.Status(ctx, schema.StatusParams{ID: id, IncludeInput: true, IncludeChildren: true})
		if answered(err) { // it is no longer kept
			w.learned(id, "", false)
			continue
		}
		if err != nil {
			return err
		}
		w.learned(id, show.Line(show.Work(&t)), t.Children != nil)
	}
	return nil
}

// answered reports whether the server has answered a call with an error.
func answered(err error) bool {
	_, ok := errors.AsType[*wire.Error](err)
	return ok
}

// whole calls f, and makes of a panic an error: the terminal must be restored before it
// is told.
func whole(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &crash{fmt.Sprintf("%v\n%s", r, debug.Stack())}
		}
	}()
	return f()
}

// crash is a panic.
type crash struct{ text string }

func (e *crash) Error() string { return "panic: " + e.text }
