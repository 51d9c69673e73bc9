package storetest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Pass lets time pass, so that a store does what it does now and then.
func (m *model) Pass(rt *rapid.T) {
	m.pass(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond)
}

// Status reads one task in full.
func (m *model) Status(rt *rapid.T) {
	id := m.drawID(rt)
	if t := m.tasks[id]; t != nil {
		m.checkTask(rt, t)
		return
	}
	_, err := m.store.Get(context.Background(), id)
	require.ErrorIs(rt, err, executor.ErrNotFound)
}

func (m *model) checkTask(rt *rapid.T, t *modelTask) {
	got, err := m.store.Get(context.Background(), t.ID)
	require.NoError(rt, err)
	require.Equal(rt, t.State.String(), got.State.String())
	require.Equal(rt, t.Type, got.Type)
	require.Equal(rt, t.Priority, got.Priority)
	require.Equal(rt, t.Labels, got.Labels)
	require.Equal(rt, t.CreatedAt, got.CreatedAt)
	require.Equal(rt, t.Rerun, got.Rerun)
	require.Equal(rt, t.Attempt, got.Attempt)
	require.Equal(rt, string(t.Input), string(got.Input))
	require.Equal(rt, string(t.Result), string(got.Result))
	require.Equal(rt, t.Task.Progress, got.Task.Progress)
	require.Equal(rt, t.asked, !got.CancelRequestedAt.IsZero())
	require.Equal(rt, t.CancelReason, got.CancelReason)
	retries := 0
	if got.History != nil {
		retries = len(got.History.Attempts)
	}
	require.Equal(rt, min(t.retries, schema.MaxAttempts), retries)
	for s, want := range t.written {
		p, err := m.store.Output(context.Background(), t.ID, schema.Stream(s), from(0, 1<<30))
		require.NoError(rt, err)
		require.Equal(rt, want[:len(want)-t.lost[s]], string(p.Data))
		require.Equal(rt, int64(len(want)), p.Total)
		require.Equal(rt, t.State.Final(), p.Final)
	}
}

// List reads all pages of a selection.
func (m *model) List(rt *rapid.T) {
	page := executor.PageRequest{Oldest: rapid.Bool().Draw(rt, "oldest"), Limit: rapid.IntRange(1, 9).Draw(rt, "limit")}
	filter := executor.Filter{Labels: rapid.SampledFrom(modelLabels).Draw(rt, "labels")}
	if rapid.Bool().Draw(rt, "some states") {
		filter.States = []schema.State{schema.State(rapid.IntRange(0, 4).Draw(rt, "state"))}
	}
	if rapid.Bool().Draw(rt, "some types") {
		filter.Types = rapid.SliceOfN(rapid.SampledFrom([]string{"plain", "narrow", "none"}), 1, 2).Draw(rt, "types")
	}
	if len(m.order) > 0 {
		filter.Since = rapid.SampledFrom([]schema.Time{0, m.drawKnown(rt).CreatedAt}).Draw(rt, "since")
		filter.Until = rapid.SampledFrom([]schema.Time{0, m.drawKnown(rt).CreatedAt}).Draw(rt, "until")
	}
	var want, got []uuid.UUID
	for _, t := range m.order {
		if filter.Match(&t.Task) {
			want = append(want, t.ID)
		}
	}
	if !page.Oldest {
		slices.Reverse(want)
	}
	for first := true; first || page.Cursor != ""; first = false {
		found, err := m.store.List(context.Background(), filter, page)
		require.NoError(rt, err)
		for i := range found.Tasks {
			got = append(got, found.Tasks[i].ID)
		}
		page.Cursor = found.Next
	}
	require.Equal(rt, want, got)
}

func (m *model) drawKnown(rt *rapid.T) *modelTask { return rapid.SampledFrom(m.order).Draw(rt, "task") }

// Replay reads one page from anywhere.
func (m *model) Replay(rt *rapid.T) {
	marks := []uint64{0, m.seq}
	for _, t := range m.order {
		if t.seq > 0 {
			marks = append(marks, t.seq, t.seq-1)
		}
	}
	after, through := rapid.SampledFrom(marks).Draw(rt, "after"), rapid.SampledFrom(marks).Draw(rt, "through")
	limit := rapid.IntRange(1, 9).Draw(rt, "limit")
	events, err := m.store.Replay(context.Background(), after, through, limit)
	require.NoError(rt, err)
	m.checkReplay(rt, events, after, through, limit)
}

// checkReplay compares what was replayed with the starts and ends of all tasks.
func (m *model) checkReplay(rt *rapid.T, events []executor.Event, after, through uint64, limit int) {
	var want []*modelTask
	for _, t := range m.order {
		if t.seq > after && t.seq <= through && t.State != schema.Queued {
			want = append(want, t)
		}
	}
	slices.SortFunc(want, func(a, b *modelTask) int { return cmp.Compare(a.seq, b.seq) })
	want = want[:min(limit, len(want))]
	require.Len(rt, events, len(want))
	for i, t := range want {
		ev := &events[i]
		require.Equal(rt, t.ID, ev.ID)
		require.Equal(rt, t.seq, ev.Seq)
		if t.State == schema.Running {
			require.Equal(rt, executor.EventStarted, ev.Kind)
			require.Equal(rt, t.Attempt, ev.Attempt)
		} else {
			require.Equal(rt, executor.EventFinished, ev.Kind)
			require.Equal(rt, t.State, ev.Task.State)
		}
	}
}

// settle looks at everything once more.
func (m *model) settle(rt *rapid.T) {
	for _, t := range m.order {
		m.checkTask(rt, t)
	}
	events, err := m.store.Replay(context.Background(), 0, latest, len(m.order)+1)
	require.NoError(rt, err)
	m.checkReplay(rt, events, 0, latest, len(m.order))
}
