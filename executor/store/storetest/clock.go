package storetest

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

const (
	// patience is how long a test waits for what must happen.
	patience = time.Minute
	// idleTime is how long a test in real time waits for what must not happen.
	idleTime = 5 * time.Millisecond
	// hurry is by how much time is shorter in a test in real time: an hour is a second.
	hurry = 3600
)

// clock is the time of a test: that of its bubble, or the real one.
type clock struct{ real bool }

// of is the duration that stands for d.
func (c clock) of(d time.Duration) time.Duration {
	if c.real {
		return d / hurry
	}
	return d
}

// ahead is how far ahead a time is that must not come before a test has made some calls. In real
// time that is much, because the machine may be slow.
func (c clock) ahead() time.Duration {
	if c.real {
		return 3 * time.Second
	}
	return 200 * time.Millisecond
}

// pass lets the time d go by.
func (c clock) pass(d time.Duration) { time.Sleep(c.of(d)) }

// idle waits until nothing happens any more. In real time that is not known, so it waits a moment.
// Only a check that something has not happened may rely on it: such a check can then miss a fault,
// and cannot fail without one.
func (c clock) idle() {
	if c.real {
		time.Sleep(idleTime)
		return
	}
	synctest.Wait()
}

// until waits until a condition holds, which it must at last. In a bubble it looks only when nothing
// happens any more.
func (c clock) until(t require.TestingT, what string, holds func() bool) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if !c.real {
			synctest.Wait()
		}
		if holds() {
			return
		}
		require.True(t, time.Now().Before(end), "this has not come: %s", what)
	}
}

// until waits until a condition holds.
func (f *fixture) until(what string, holds func() bool) {
	f.Helper()
	f.clock.until(f, what, holds)
}

// unread are the events that a watcher has. In a bubble that is known when nothing happens any
// more. In real time they are those before a barrier, when all changes so far are recorded; marks
// is how many other barriers there are among them.
func (c clock) unread(t require.TestingT, s executor.Store, w executor.Watcher, marks int) (events []executor.Event) {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	if !c.real {
		end()
	} else {
		recordAll(ctx, t, s)
		require.NoError(t, w.Barrier(ctx))
	}
	for {
		if !c.real {
			synctest.Wait()
		}
		more, err := w.Next(ctx)
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return events
		}
		for _, ev := range more {
			if c.real && ev.Kind == executor.EventBarrier {
				if marks--; marks < 0 {
					return events
				}
			}
			events = append(events, ev)
		}
	}
}

// recordAll waits until all changes so far are recorded, and their events published: a
// change that alters nothing comes after them.
func recordAll(ctx context.Context, t require.TestingT, s executor.Store) {
	if err := s.Pause(ctx, s.Info().Paused); err != nil {
		require.ErrorIs(t, err, executor.ErrClosed)
	}
}
