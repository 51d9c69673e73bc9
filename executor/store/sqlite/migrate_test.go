package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// oldID is the id of a task in the files of testdata, which servers of those versions have
// made: 1 and 2 are no longer kept, 3 and 4 have completed and failed, 5, 6 and 13 ran when
// the file was copied: 5 may run again, and 13 was to be cancelled. 7 and 9 waited, and 8, 10,
// 11 and 12 were cancelled.
func oldID(n int) uuid.UUID { return uuid.MustParse(fmt.Sprintf("018f0000-0000-7000-8000-%012x", n)) }

func oldFile(t *testing.T, version int) (path string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("version-%d.db", version)))
	require.NoError(t, err)
	path = filepath.Join(t.TempDir(), "tasks.db")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// TestOlderFilesAreBroughtToThisVersion opens files of all versions before.
func TestOlderFilesAreBroughtToThisVersion(t *testing.T) {
	newest := int(file.Version())
	for version := 1; version < newest; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			path := oldFile(t, version)
			require.Empty(t, findings(t, path), "those that only read need no newer one")
			before, damaged := exports(t, path, executor.Filter{})
			require.Empty(t, damaged)
			require.Len(t, before, 11)
			backup := fmt.Sprintf("%s.version-%d", path, version)
			for _, left := range []string{backup, backup + ".part"} { // by a process that died at this
				require.NoError(t, os.WriteFile(left, []byte("half of a file"), 0o600))
			}
			s, err := Open(t.Context(), Options{Path: path})
			require.NoError(t, err)
			require.NoFileExists(t, backup+".part")
			mode, err := os.Stat(backup)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), mode.Mode())
			kept, damaged := exports(t, backup, executor.Filter{})
			require.Empty(t, damaged)
			require.Equal(t, before, kept, "the backup of what it was")

			for i := range before {
				was := &before[i]
				now, err := s.Get(t.Context(), was.ID)
				require.NoError(t, err)
				switch was.ID {
				case oldID(5):
					require.Equal(t, schema.Queued, now.State)
					require.EqualValues(t, 1, now.Attempt)
				case oldID(6):
					require.Equal(t, schema.KindInterrupted, now.Error.Kind)
				case oldID(13):
					require.Equal(t, schema.Cancelled, now.State)
					require.Equal(t, "too slow", now.CancelReason)
				default:
					require.Equal(t, *was, now.Task)
				}
			}
			oldLists(t, s)
			oldSubmits(t, s, version)
			var ran []uuid.UUID
			for range 3 {
				ran = append(ran, runOne(t, s, completed))
			}
			require.Equal(t, []uuid.UUID{oldID(9), oldID(5), oldID(7)}, ran, "in their order")
			require.NoError(t, s.Close())
			info, err := inspect.Inspect(t.Context(), path)
			require.NoError(t, err)
			require.EqualValues(t, newest, info.Version)
			require.Empty(t, findings(t, path))
		})
	}
}

func oldLists(t *testing.T, s *Store) {
	t.Helper()
	for _, test := range []struct {
		filter executor.Filter
		want   []int
	}{
		{executor.Filter{Types: []string{"exec"}}, []int{3, 5, 6, 13}},
		{executor.Filter{Types: []string{"noop", "fail"}}, []int{4, 7, 8, 9}},
		{executor.Filter{States: []schema.State{schema.Queued}}, []int{5, 7, 9}},
		{executor.Filter{States: []schema.State{schema.Queued, schema.Failed}}, []int{4, 5, 6, 7, 9}},
		{executor.Filter{Labels: map[string]string{"team": "red"}}, []int{3}},
	} {
		page, err := s.List(t.Context(), test.filter, executor.PageRequest{Oldest: true, Limit: 100})
		require.NoError(t, err)
		var got, want []uuid.UUID
		for i := range page.Tasks {
			got = append(got, page.Tasks[i].ID)
		}
		for _, n := range test.want {
			want = append(want, oldID(n))
		}
		require.ElementsMatch(t, want, got, test.filter)
	}
}

func oldSubmits(t *testing.T, s *Store, version int) {
	t.Helper()
	again := newTask(func(r *executor.Submission) { r.ID = oldID(4) })
	answers, err := s.Submit(t.Context(), []executor.Submission{again})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, executor.ErrIDConflict)
	if version < 2 { // it remembers no ids
		return
	}
	again.ID = oldID(1)
	answers, err = s.Submit(t.Context(), []executor.Submission{again})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, executor.ErrTaskGone)
}
