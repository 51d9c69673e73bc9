package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// runRelimits tests that limits hold of what was there before they were set.
func runRelimits(t *testing.T, o Options) {
	if o.Relimit == nil {
		t.Skip("this store leaves nothing behind")
	}
	for _, c := range []struct {
		name   string
		limits Limits
		kept   int // of ten tasks, each of about 4,000 bytes, an hour apart
		exact  bool
	}{
		{"lower number", Limits{Keep: 3}, 3, false},
		{"none", Limits{Keep: -1}, 0, false},
		{"shorter time", Limits{KeepFor: 3*time.Hour + time.Minute}, 4, true},
		{"fewer bytes", Limits{KeepBytes: 22_000}, 5, false},
		{"higher number", Limits{Keep: 11}, 10, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			contract{exact: c.exact, test: func(f *fixture) {
				f.again = func(t *testing.T, s executor.Store) executor.Store { return o.Relimit(t, s, c.limits) }
				relimit(f, c.kept)
			}}.run(t, o)
		})
	}
	t.Run("lower number of very many", func(t *testing.T) {
		contract{test: func(f *fixture) {
			f.again = func(t *testing.T, s executor.Store) executor.Store { return o.Relimit(t, s, Limits{Keep: 10}) }
			relimitMany(f)
		}}.run(t, o)
	})
}

func relimit(f *fixture, kept int) {
	var ids []uuid.UUID
	for range 10 {
		f.pass(time.Hour)
		id, lease := f.writer()
		require.NoError(f, lease.Write(schema.Stdout, make([]byte, 2000)))
		f.finish(lease, executor.Outcome{State: schema.Completed, Result: []byte(`"` + strings.Repeat("x", 2000) + `"`)})
		ids = append(ids, id)
	}
	queued := f.one()
	f.restart()
	want := make([]bool, len(ids))
	for i := range want {
		want[i] = i >= len(ids)-kept
	}
	require.Equal(f, want, f.kept(ids...))
	require.Equal(f, schema.TaskCounts{Queued: 1, Completed: int64(kept)}, f.counts().TaskCounts)
	require.Equal(f, queued, f.claim().Record().ID)
	if kept == len(ids) {
		require.Len(f, f.replay(0, latest, 100), kept)
		return
	}
	_, err := f.store.Replay(f.Context(), 0, latest, 100)
	var gone *executor.EventsGoneError
	require.ErrorAs(f, err, &gone)
	require.Len(f, f.replay(gone.Oldest, latest, 100), kept)
}

// relimitMany gives the store time, as long as nothing else is needed.
func relimitMany(f *fixture) {
	f.accept(numbered(3000, withRerun(true))...)
	f.crew(2)()
	f.restart()
	f.until("few enough", func() bool { return f.counts().Completed <= 10 })
	require.Equal(f, schema.TaskCounts{Completed: 10}, f.counts().TaskCounts)
}
