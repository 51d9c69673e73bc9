package storetest

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
)

var scheduleContracts = []contract{
	{name: "are sorted, replaced and removed", test: scheduleTexts},
}

// restartScheduleContracts are those of schedules in a store that is opened again.
var restartScheduleContracts = []contract{
	{name: "keeps schedules", test: restartSchedules},
}

func (f *fixture) hasSchedules(want ...executor.ScheduleText) {
	f.Helper()
	found, err := f.store.Schedules(f.Context())
	require.NoError(f, err)
	require.Len(f, found, len(want))
	for i := range want {
		require.Equal(f, want[i].Name, found[i].Name)
		require.Equal(f, string(want[i].Text), string(found[i].Text))
	}
}

func (f *fixture) setSchedule(name, text string) executor.ScheduleText {
	f.Helper()
	b := []byte(text)
	require.NoError(f, f.store.SetSchedules(f.Context(), executor.ScheduleText{Name: name, Text: b}))
	clear(b) // the store has a copy
	return executor.ScheduleText{Name: name, Text: []byte(text)}
}

func (f *fixture) removeSchedule(name string) {
	f.Helper()
	require.NoError(f, f.store.SetSchedules(f.Context(), executor.ScheduleText{Name: name}))
}

func scheduleTexts(f *fixture) {
	f.hasSchedules()
	f.removeSchedule("none")
	b := f.setSchedule("b", "{}")
	a := f.setSchedule("a", `"x"`)
	long := f.setSchedule("ä\x00\u2028", strings.Repeat("long", 10_000))
	f.hasSchedules(a, b, long)
	b = f.setSchedule("b", "other")
	f.hasSchedules(a, b, long)
	f.removeSchedule("a")
	f.removeSchedule("a")
	f.hasSchedules(b, long)
	c := executor.ScheduleText{Name: "c", Text: []byte("together")}
	require.NoError(f, f.store.SetSchedules(f.Context(), c, executor.ScheduleText{Name: b.Name}, long, executor.ScheduleText{Name: "none"}))
	f.hasSchedules(c, long)
}

func restartSchedules(f *fixture) {
	a, b := f.setSchedule("a", "1"), f.setSchedule("b", "2")
	f.setSchedule("gone", "3")
	f.restart()
	f.hasSchedules(a, b, executor.ScheduleText{Name: "gone", Text: []byte("3")})
	b = f.setSchedule("b", "22")
	f.removeSchedule("gone")
	f.restart()
	f.hasSchedules(a, b)
}
