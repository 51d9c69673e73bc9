package inspect_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/plan"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/schema"
)

func TestSettingsAreExported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tasks.db")
	store, err := openPath(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, store.SetGroup(t.Context(), "builds", plan.Settings{Limit: 2, Rate: plan.Rate{Count: 3, Per: 1e9}, Defaults: `{"priority":5}`}))
	require.NoError(t, store.Pause(t.Context(), true))
	require.NoError(t, store.SetSchedules(t.Context(),
		executor.ScheduleText{Name: "nightly", Text: []byte(`{"name":"nightly","cron":"30 2 * * *","submit":{"type":"noop"},"decided":"2026-01-31T00:00:00Z"}`)},
		executor.ScheduleText{Name: "odd", Text: []byte(`{"name":"odd","cron":"61 2 * * *","submit":{"type":"noop"}}`)}))
	exported := func() (all []inspect.Setting, damaged []inspect.Finding) {
		err := inspect.ExportSettings(t.Context(), path, func(s *inspect.Setting) error {
			all = append(all, *s)
			return nil
		}, func(f inspect.Finding) { damaged = append(damaged, f) })
		require.NoError(t, err)
		return all, damaged
	}
	all, damaged := exported() // beside the process that has the store
	require.Empty(t, damaged)
	require.Len(t, all, 4)
	require.True(t, all[0].Paused)
	require.Equal(t, &schema.Group{Name: "builds", Limit: 2, Rate: &schema.Rate{Count: 3, PerMs: 1000}, Defaults: &schema.GroupDefaults{Priority: 5}}, all[1].Group)
	require.Equal(t, "nightly", all[2].Schedule.Name)
	require.Equal(t, "2026-01-31T02:30:00.000000Z", all[2].Schedule.NextAt.String())
	require.Contains(t, all[3].Schedule.Fault, "61")
	require.NoError(t, store.Close())

	edit(t, path, "UPDATE schedule SET schedule=replace(schedule,'2','3') WHERE name='nightly'")
	all, damaged = exported()
	require.Len(t, all, 3)
	require.Len(t, damaged, 1)
	require.Contains(t, damaged[0].Text, `the row of the schedule "nightly" in the table schedule is not what was written`)
}
