package kit_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/schema"
)

// What a slow subscriber is kept, as docs/architecture.md has it.
const (
	lagEvents = 4096
	lagBytes  = 8 << 20
)

// lagging reports whether the watcher has lost events, and how many it has.
func lagging(t *testing.T, w executor.Watcher) (lost bool, kept int) {
	t.Helper()
	got, err := w.Next(t.Context())
	require.NoError(t, err)
	return slices.ContainsFunc(got, func(ev executor.Event) bool { return ev.Kind == executor.EventLag }), len(got)
}

// endOf is the end of a task that takes so many bytes while it waits.
func endOf(t *testing.T, bytes int64) executor.Event {
	ev := executor.Event{ID: uuid.New(), Kind: executor.EventFinished, Task: &schema.Task{State: schema.Completed}}
	ev.Task.Result = make([]byte, bytes-sizeOf(ev))
	require.Equal(t, bytes, sizeOf(ev))
	return ev
}

func sizeOf(ev executor.Event) int64 {
	var h kit.Held
	h.Add(&ev)
	return h.Size()
}

func TestLagIsBoundedByOne(t *testing.T) {
	for name, c := range map[string]struct {
		full []executor.Event // exactly what is kept
		more executor.Event   // the least more
	}{
		"events": {slices.Repeat([]executor.Event{started}, lagEvents), started},
		"bytes":  {[]executor.Event{endOf(t, lagBytes/2), endOf(t, lagBytes/2)}, started},
	} {
		t.Run(name, func(t *testing.T) {
			for _, past := range []bool{false, true} {
				var f kit.Feed
				w := watchAll(&f)
				for _, ev := range c.full {
					f.Publish(0, 0, ev)
				}
				if past {
					f.Publish(0, 0, c.more)
				}
				lost, kept := lagging(t, w)
				require.Equal(t, past, lost)
				if !past {
					require.Equal(t, len(c.full), kept)
				}
				f.Publish(0, 0, started)
				lost, kept = lagging(t, w)
				require.False(t, lost, "it begins anew when it was read")
				require.Equal(t, 1, kept)
			}
		})
	}
}
