package top

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// received are the messages of a source to a screen.
type received struct {
	mu sync.Mutex
	shown
}

// shown is the newest of each kind.
type shown struct {
	messages int
	snap     snapshot
	detail   detail
	gone     error
	back     bool
}

func (r *received) send(msg any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages++
	switch msg := msg.(type) {
	case snapshot:
		r.snap = msg
	case detail:
		r.detail = msg
	case goneMsg:
		r.gone = msg.err
	case backMsg:
		r.back = true
	}
}

// now is what has come.
func (r *received) now() shown {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shown
}

// follows runs a source until the end of the test.
func follows(t *testing.T, c *client.Client, reconnect func(context.Context) (*client.Client, error)) (*source, *received) {
	r := &received{}
	s := newSource(c, reconnect, r.send)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return s, r
}

type work struct {
	Ms     int    `json:"ms"`     // how long it takes
	Events int    `json:"events"` // how often it tells of its progress
	Print  string `json:"print,omitzero"`
}

// working is a task type for tests.
func working(ctx context.Context, in work) (struct{}, error) {
	fmt.Fprint(executor.Output(ctx, schema.Stdout), in.Print)
	for i := range in.Events {
		executor.Report(ctx, schema.Progress{Value: float64(i + 1), Total: float64(in.Events)})
		select {
		case <-time.After(time.Duration(in.Ms) * time.Millisecond / time.Duration(in.Events)):
		case <-ctx.Done():
			return struct{}{}, context.Cause(ctx)
		}
	}
	if in.Ms < 0 {
		return struct{}{}, errors.New("wrong")
	}
	return struct{}{}, nil
}

func submits(t *testing.T, c *client.Client, priority int, input string) uuid.UUID {
	t.Helper()
	task, err := c.Submit(t.Context(), schema.SubmitParams{Type: "work", Input: jsontext.Value(input), Priority: &priority, Events: []string{}})
	require.NoError(t, err)
	return task.ID
}

// after waits, and lets all that is due then happen.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestSourceTellsOfTheExecutor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, executor.MustDefine("work", working, executor.Limit(1)))
		early := submits(t, c, 0, `{"ms":-1,"events":0}`)
		after(time.Second)
		s, r := follows(t, c, nil)
		running := submits(t, c, 0, `{"ms":60000,"events":60,"print":"one\ntwo"}`)
		usual, urgent := submits(t, c, 0, `{"ms":1,"events":1}`), submits(t, c, 5, `{"ms":1,"events":1}`)
		after(2 * time.Second)
		require.Len(t, r.now().snap.running, 1)
		require.Equal(t, running, r.now().snap.running[0].ID)
		require.InDelta(t, 2, r.now().snap.running[0].Progress.Value, 1)
		require.Equal(t, []uuid.UUID{urgent, usual}, []uuid.UUID{r.now().snap.queued[0].ID, r.now().snap.queued[1].ID}, "in the order of the queue")
		require.Equal(t, early, r.now().snap.ended[0].ID)
		require.EqualValues(t, 1, r.now().snap.stats.Tasks.Failed)

		s.set(wants{detail: running, work: []uuid.UUID{running, urgent, early}})
		after(time.Second)
		require.Equal(t, `{"ms":60000,"events":60,"print":"one\ntwo"}`, r.now().snap.running[0].work)
		require.False(t, r.now().snap.queued[1].workKnown, "it is not on the screen")
		require.Equal(t, []line{{schema.Stdout, "one"}, {schema.Stdout, "two"}}, r.now().detail.lines)

		_, err := c.Cancel(t.Context(), schema.CancelParams{ID: running, Force: true})
		require.NoError(t, err)
		after(2 * time.Minute)
		require.Empty(t, r.now().snap.running)
		require.Empty(t, r.now().snap.queued)
		require.Len(t, r.now().snap.ended, 4)
		require.Equal(t, schema.Cancelled, r.now().detail.task.State)
		require.Len(t, r.now().snap.samples, mostSamples)
	})
}

// TestSourceTellsOfGroupsAndSchedules: what holds tasks up, and what is to come.
func TestSourceTellsOfGroupsAndSchedules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, executor.MustDefine("work", working))
		_, r := follows(t, c, nil)
		after(time.Second)
		first := r.now().snap.around
		require.Len(t, first.runners, 1)
		first.runners = nil
		require.Empty(t, first)
		require.NoError(t, c.Pause(t.Context(), schema.PauseParams{Group: "deploy"}))
		for name, every := range map[string]time.Duration{"hourly": time.Hour, "daily": 24 * time.Hour} {
			_, err := c.Schedule(t.Context(), schema.ScheduleParams{Name: name, EveryMs: every.Milliseconds(), Submit: schema.ScheduledSubmit{Type: "work", Input: []byte(`{"ms":1,"events":0}`)}})
			require.NoError(t, err)
		}
		after(2 * aroundEvery)
		now := r.now().snap
		require.Equal(t, []string{"deploy"}, now.around.groups)
		require.Equal(t, 2, now.around.schedules)
		require.Equal(t, "hourly", now.around.next)
		words := now.around.words(now.at)
		require.Equal(t, "paused: deploy", words[0])
		require.Contains(t, words[1], "schedules: 2, next hourly at ")
	})
}

// TestSourceTellsAtABoundedRate: a thousand events in a second are a few messages.
func TestSourceTellsAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{executor.MustDefine("work", working)}, Limit: 100})
		require.NoError(t, err)
		c := rpctest.Connect(t, ex, rpc.Options{})
		_, r := follows(t, c, nil)
		after(time.Second)
		for range 100 {
			submits(t, c, 0, `{"ms":20000,"events":200}`)
		}
		after(time.Second)
		before := r.now().messages
		after(10 * time.Second)
		require.Len(t, r.now().snap.running, 100)
		require.Less(t, r.now().messages-before, 60, "of 10,000 events")
		before = r.now().messages
		after(time.Minute)
		require.Less(t, r.now().messages-before, 120, "half of the time nothing happens")
	})
}

// TestSourceGoesOnWithTheNextServer tries every second.
func TestSourceGoesOnWithTheNextServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := rpctest.New(t), rpctest.New(t, executor.MustDefine("work", working))
		tries := 0
		s, r := follows(t, first, func(context.Context) (*client.Client, error) {
			if tries++; tries < 3 {
				return nil, errors.New("nobody listens")
			}
			return second, nil
		})
		after(2 * time.Second)
		require.NoError(t, r.now().gone)
		require.NoError(t, first.Close())
		after(2500 * time.Millisecond)
		require.Error(t, r.now().gone)
		require.False(t, r.now().back)
		_, err := s.current()
		require.ErrorIs(t, err, errGone)
		after(time.Second)
		require.True(t, r.now().back)
		id := submits(t, second, 0, `{"ms":60000,"events":1}`)
		after(2 * time.Second)
		require.Equal(t, id, r.now().snap.running[0].ID)
	})
}

// TestAPanicIsAnError: it is told when the terminal is as it was.
func TestAPanicIsAnError(t *testing.T) {
	err := whole(func() error { panic("oh") })
	require.ErrorContains(t, err, "panic: oh")
	require.ErrorContains(t, err, "source_test.go")
	require.NoError(t, whole(func() error { return nil }))
}

func TestOutputOfHostileTasks(t *testing.T) {
	r := &outputReader{}
	for _, piece := range []string{"a\x1b[", "2Jb\r\n", "10%\r20%\r\n", "\ta\tb\n", strings.Repeat("x", 3*mostOfLine), "y\n", "\xff\u202e\u0085\n", "end"} {
		r.write(schema.Stdout, []byte(piece), false)
	}
	d := r.detail()
	require.Equal(t, "a^[[2Jb", d.lines[0].text)
	require.Equal(t, "20%", d.lines[1].text)
	require.Equal(t, "        a       b", d.lines[2].text)
	require.Len(t, d.lines[3].text, mostOfLine)
	require.Equal(t, `\xff\u202e\u0085`, d.lines[4].text)
	require.Equal(t, "end", d.lines[5].text)
	for range 2 * mostLines {
		r.write(schema.Stderr, []byte("line\n"), false)
	}
	require.Len(t, r.lines, mostLines)
	require.Equal(t, mostLines+5, r.first)
}

// TestSourceTellsOfParts: those that say most, and how many there are beside them.
func TestSourceTellsOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{executor.MustDefine("work", working)}, Limit: 3})
		require.NoError(t, err)
		c := rpctest.Connect(t, ex, rpc.Options{})
		s, r := follows(t, c, nil)
		parent := submits(t, c, 0, `{"ms":600000,"events":1}`)
		after(time.Second)
		part := func(input string, delay time.Duration) uuid.UUID {
			task, err := c.Submit(t.Context(), schema.SubmitParams{
				Type: "work", Input: jsontext.Value(input), Conditions: schema.Conditions{Parent: parent}, DelayMs: delay.Milliseconds(), Events: []string{},
			})
			require.NoError(t, err)
			return task.ID
		}
		ids := []uuid.UUID{part(`{"ms":600000,"events":1}`, 0), part(`{"ms":-1,"events":0}`, 0)}
		after(time.Second)
		for range 100 {
			part(`{"ms":0,"events":0}`, 0)
		}
		waits := part(`{"ms":0,"events":0}`, time.Hour)
		s.set(wants{parts: []uuid.UUID{parent}, work: append(ids, parent)})
		after(2 * time.Second)
		snap := r.now().snap
		found := snap.parts[parent]
		require.Len(t, found.items, mostParts)
		require.EqualValues(t, 103-mostParts, found.more)
		require.Equal(t, append(ids, waits), []uuid.UUID{found.items[0].ID, found.items[1].ID, found.items[2].ID})
		require.Equal(t, schema.Failed, found.items[1].State)
		require.Equal(t, schema.Completed, found.items[3].State)
		require.Equal(t, `{"ms":-1,"events":0}`, found.items[1].work)
		require.True(t, snap.parents[parent])

		_, err = c.Cancel(t.Context(), schema.CancelParams{ID: waits})
		require.NoError(t, err)
		s.set(wants{parts: []uuid.UUID{parent, ids[0]}, detail: parent})
		after(2 * time.Second)
		require.Equal(t, schema.Cancelled, r.now().snap.parts[parent].items[2].State)
		require.Contains(t, r.now().snap.parts, ids[0])
		require.Empty(t, r.now().snap.parts[ids[0]].items)
		require.Equal(t, &schema.TaskCounts{Running: 1, Completed: 100, Failed: 1, Cancelled: 1}, r.now().detail.task.Children)
		s.set(wants{})
		after(2 * time.Second)
		require.Empty(t, r.now().snap.parts)
	})
}
