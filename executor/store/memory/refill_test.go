package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/transfer"
	"github.com/jobline/jobline/schema"
)

// pasts is a source of final tasks, and of ids of earlier ones.
type pasts struct {
	about  transfer.About
	finals []*transfer.Task
	ids    []uuid.UUID
}

func (p *pasts) About() *transfer.About { return &p.about }

func (p *pasts) Forgotten(_ context.Context, f func(uuid.UUID) error) (err error) {
	for _, id := range p.ids {
		if err == nil {
			err = f(id)
		}
	}
	return err
}

func (p *pasts) Finals(_ context.Context, f func(*transfer.Task) error) (err error) {
	for _, t := range p.finals {
		if err == nil {
			err = f(t)
		}
	}
	return err
}

func (p *pasts) Waiting(context.Context, func(*transfer.Task) error) error { return nil }

// A replica that is made of another store forgets nothing of it by default, and its clock is not ahead of the
// one that it gets its changes from.
func TestARefilledReplicaForgetsNothing(t *testing.T) {
	now := schema.TimeOf(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))
	ago := func(d time.Duration) schema.Time { return now - schema.Time(d.Microseconds()) }
	p := &pasts{about: transfer.About{At: now + 1_000_000, Seq: 1 << 20, Order: 1 << 20}}
	p.about.Limits.MaxOutput = memory.DefaultMaxOutput
	const finals, ids = memory.DefaultKeep + 10, memory.DefaultKeepIDs + 10
	for i := range uint64(ids) {
		p.ids = append(p.ids, uuid.UUID{1, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	for i := range uint64(finals) {
		task := &transfer.Task{Order: i + 1, Seq: i + 1}
		task.ID, task.Type, task.State, task.Attempt = uuid.UUID{2, byte(i >> 16), byte(i >> 8), byte(i)}, "t", schema.Completed, 1
		task.CreatedAt, task.StartedAt, task.FinishedAt = ago(1000*time.Hour), ago(1000*time.Hour), ago(999*time.Hour)
		p.finals = append(p.finals, task)
	}
	r, err := memory.RefilledReplica(t.Context(), p, now)
	require.NoError(t, err)
	defer r.Close()
	r.Advance(now)
	require.False(t, r.Overdue(now))
	o := r.Options()
	require.Equal(t, finals, o.Keep)
	require.Equal(t, ids, o.KeepIDs)
	require.Equal(t, 43*24*time.Hour, o.KeepFor)
	require.EqualValues(t, memory.DefaultKeepBytes, o.KeepBytes)
	require.Equal(t, memory.DefaultMaxQueued, o.MaxQueued)
	is, err := r.Contents()
	require.NoError(t, err)
	require.Equal(t, now, is.About().At)
	want, err := transfer.SumOf(t.Context(), p)
	require.NoError(t, err)
	got, err := transfer.SumOf(t.Context(), is)
	require.NoError(t, err)
	require.Equal(t, want, got)

	p.about.Limits = transfer.Limits{Keep: -1, KeepIDs: 7, MaxOutput: 5}
	few, err := memory.RefilledReplica(t.Context(), p, now)
	require.NoError(t, err)
	defer few.Close()
	few.Advance(now)
	left, err := few.Contents()
	require.NoError(t, err)
	got, err = transfer.SumOf(t.Context(), left)
	require.NoError(t, err)
	require.Zero(t, got.Tasks)
	require.EqualValues(t, 7, got.IDs)
	require.Equal(t, 5, few.Options().MaxOutput)
}
