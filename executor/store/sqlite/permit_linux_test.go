package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/inspect"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/executor/store/sqlite/internal/sqlitetest"
	"github.com/jobline/jobline/schema"
)

// permitted is a store in which one task runs, and the next one has a permit.
func permitted(t *testing.T, set ...func(*Options)) (s *Store, v *faultvfs.VFS, next uuid.UUID) {
	t.Helper()
	s, v = faulty(t, faultvfs.Options{}, set...)
	_, err := s.Join(t.Context(), executor.Offer{}) // who may claim them
	require.NoError(t, err)
	claim(t, s)
	r := newTask()
	submit(t, s, r)
	return s, v, r.ID
}

// begunFile is where the notes of a store are.
func begunFile(t *testing.T, s *Store) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.options.begunDir, "jobline-*"))
	require.NoError(t, err)
	for _, path := range files {
		if text, _ := os.ReadFile(path); s.permits.begun != nil && string(text[:len(s.permits.begun.Name())]) == s.permits.begun.Name() {
			return path
		}
	}
	return ""
}

// TestAPermitLetsATaskBeginWithoutTheDisk claims a task while the disk stalls.
func TestAPermitLetsATaskBeginWithoutTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v, id := permitted(t)
		goOn := stallDisk(v, faultvfs.Sync)
		lease, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, id, lease.Record().ID)
		require.EqualValues(t, 1, lease.Record().Attempt)
		require.NoError(t, lease.Started(7))
		time.Sleep(companyDelay)
		synctest.Wait()
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, schema.Queued, got.State, "its start is not recorded")
		goOn()
		synctest.Wait()
		got, err = s.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, schema.Running, got.State)
		require.Equal(t, lease.Record().StartedAt, got.StartedAt)
	})
}

// TestAPermitIsNoClaim has a task of a higher priority come after the permit: it goes first,
// and waits for the disk.
func TestAPermitIsNoClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v, low := permitted(t)
		s.mu.Lock()
		s.permits.leases, s.permits.pace, s.permits.claims = 0, 0, 0 // or the next submit brings a permit for it
		s.mu.Unlock()
		high := newTask(func(r *executor.Submission) { r.Priority = 1 })
		submit(t, s, high)
		goOn := stallDisk(v, faultvfs.Sync)
		claimed := later(func() (executor.Lease, error) { return claimAny(t.Context(), s) })
		lease, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, low, lease.Record().ID, "the other slot has taken the first")
		goOn()
		first, err := claimed()
		require.NoError(t, err)
		require.Equal(t, high.ID, first.Record().ID)
	})
}

// TestAPermitIsSeenByNobody looks at a task with a permit: it waits, and can be cancelled.
func TestAPermitIsSeenByNobody(t *testing.T) {
	s, _, id := permitted(t)
	require.NotEmpty(t, begunFile(t, s))
	info, err := inspect.Inspect(t.Context(), s.path)
	require.NoError(t, err)
	require.EqualValues(t, 1, info.Tasks.Queued)
	require.EqualValues(t, 1, info.Tasks.Running)
	require.Empty(t, sqlitetest.Findings(t, s.path))
	tasks, _ := sqlitetest.Exports(t, s.path, executor.Filter{States: []schema.State{schema.Queued}})
	require.Len(t, tasks, 1)
	require.Equal(t, id, tasks[0].ID)
	require.Zero(t, tasks[0].Attempt)
	require.Empty(t, tasks[0].CancelReason)

	answers, err := s.Cancel(t.Context(), []uuid.UUID{id}, executor.Cancellation{Reason: "late"})
	require.NoError(t, err)
	require.Equal(t, schema.OutcomeCancelled, answers[0].Outcome)
	require.Empty(t, s.permits.given)
}

// TestPermitsFollowThePace has short tasks: the more of them are claimed while a transaction
// is written, the more get permits, and never more than the limit.
func TestPermitsFollowThePace(t *testing.T) {
	s, _, _ := permitted(t)
	require.Len(t, s.permits.given, 1)
	var more []executor.Submission
	for range 3 * maxPermits {
		more = append(more, newTask())
	}
	for _, claims := range []int{3, maxPermits} {
		s.mu.Lock()
		s.permits.claims = claims
		s.mu.Unlock()
		submit(t, s, more[:len(more)/2]...)
		more = more[len(more)/2:]
		require.Len(t, s.permits.given, min(1+2*claims, maxPermits))
	}
}

// recordedPermits counts the permits in the file.
func recordedPermits(t *testing.T, s *Store) int64 {
	t.Helper()
	c, err := file.DialReader(s.path, s.options.VFS)
	require.NoError(t, err)
	defer c.Close()
	n, err := c.Number("SELECT count(*) FROM active WHERE started IS NULL AND cancelled IS NULL AND reason IS NOT NULL")
	require.NoError(t, err)
	return n
}

// TestPermitsAreForWhatMayRun has many free slots and a type of which one task runs at a time.
// However many are submitted, only the next one has a permit, and none in the backlog has.
func TestPermitsAreForWhatMayRun(t *testing.T) {
	s := open(t, withWindow(smallWindow))
	limited := newTask().Type
	c, err := s.Join(t.Context(), executor.Offer{Limits: executor.TypeLimits{limited: 1}})
	require.NoError(t, err)
	for range 8 {
		submit(t, s, newTask())
		go func() { _, _ = c.Claim(t.Context(), executor.Ended{}) }()
	}
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.claims.Idle() == 7 && len(s.running) == 1
	}, time.Minute, time.Millisecond)
	for range 50 {
		submit(t, s, newTask(), newTask())
		require.LessOrEqual(t, recordedPermits(t, s), int64(1))
	}
	require.Greater(t, inBacklog(s), 90)
}

// TestPermitsOfABacklogCount submits tasks at once that are permitted, and of which some go
// to the backlog. Their permits are used when they are claimed.
func TestPermitsOfABacklogCount(t *testing.T) {
	s := open(t, withWindow(smallWindow), func(o *Options) { o.companyDelay = time.Hour })
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	s.mu.Lock()
	s.permits.claims = 4
	s.mu.Unlock()
	tasks := []executor.Submission{newTask(), newTask(), newTask(), newTask()}
	submit(t, s, tasks...)
	require.EqualValues(t, 4, recordedPermits(t, s))
	require.Len(t, s.permits.given, 4)
	for i := range tasks {
		lease, err := c.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		require.Equal(t, tasks[i].ID, lease.Record().ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.permits.given, "each was used, so none waited for the disk")
}

// TestACloseWithdrawsPermits needs no notes afterwards.
func TestACloseWithdrawsPermits(t *testing.T) {
	s, _, id := permitted(t)
	notes := begunFile(t, s)
	require.NoError(t, s.Close())
	require.NoFileExists(t, notes)
	again := openAt(t, s.path)
	got, err := again.Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Queued, got.State)
	require.Zero(t, got.Attempt)
}

// TestACloseWithoutNotes closes a store whose notes somebody else has removed.
func TestACloseWithoutNotes(t *testing.T) {
	s, _, id := permitted(t)
	require.NoError(t, os.Remove(begunFile(t, s)))
	require.NoError(t, s.Close())
	got, err := openAt(t, s.path).Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Queued, got.State)
}

// TestADamagedPermitDoesNotHoldUpTheClose closes a store in which the row of a permit is damaged
// and another is not: only the damaged one is left, and its task is not run.
func TestADamagedPermitDoesNotHoldUpTheClose(t *testing.T) {
	s, _, damaged := permitted(t)
	s.mu.Lock()
	s.permits.claims = 1 // so that there is a second permit
	s.mu.Unlock()
	whole := newTask()
	submit(t, s, whole)
	require.EqualValues(t, 2, recordedPermits(t, s))
	edit(t, s.path, "UPDATE active SET attempt=7 WHERE ord=2")
	require.NoError(t, s.Close())
	s = openAt(t, s.path)
	require.Equal(t, whole.ID, runOne(t, s, completed))
	_, err := s.Get(t.Context(), damaged)
	require.Error(t, err)
}

// TestACopyHasNoNotes opens a copy of a store in which a task has a permit: whether it has
// begun is not known there.
func TestACopyHasNoNotes(t *testing.T) {
	s, _, id := permitted(t)
	to := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, inspect.Backup(t.Context(), s.path, to, func(inspect.Finding) {}))
	got, err := openAt(t, to).Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Failed, got.State)
	require.Equal(t, schema.KindInterrupted, got.Error.Kind)
	require.EqualValues(t, 1, got.Attempt)
	require.Zero(t, got.StartedAt)
	require.FileExists(t, begunFile(t, s), "of the store that was copied")
}

// TestABackupPutBackHasNoNotes puts a backup over the file of a store that was killed. In the
// backup a task has a permit, and had begun. Its note is gone, because its start was recorded
// later, and another task has the slot. So it must not count as one that has not begun.
func TestABackupPutBackHasNoNotes(t *testing.T) {
	s, _, id := permitted(t, func(o *Options) { o.companyDelay = time.Hour })
	c, err := s.Join(t.Context(), executor.Offer{})
	require.NoError(t, err)
	begin := func() uuid.UUID {
		lease, err := c.Claim(t.Context(), executor.Ended{})
		require.NoError(t, err)
		return lease.Record().ID
	}
	require.Equal(t, id, begin())
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, inspect.Backup(t.Context(), s.path, backup, func(inspect.Finding) {}))
	submit(t, s, newTask()) // and the start is recorded
	begin()
	path := begunFile(t, s)
	notes, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, s.Close()) // which removes what a kill leaves
	require.NoError(t, os.WriteFile(path, notes, 0o600))
	text, err := os.ReadFile(backup)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.path, text, 0o600))
	for _, suffix := range []string{"-wal", "-shm"} {
		require.NoError(t, disk.RemoveIfExists(s.path+suffix))
	}
	got, err := openAt(t, s.path).Get(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, schema.Failed, got.State)
	require.Equal(t, schema.KindInterrupted, got.Error.Kind)
}

// TestNoPermitWithoutOwnership removes a file by which another process can have the store,
// and find the permit. Nothing begins then.
func TestNoPermitWithoutOwnership(t *testing.T) {
	for _, suffix := range []string{"", ".lock"} {
		synctest.Test(t, func(t *testing.T) {
			s, _, _ := permitted(t)
			require.NoError(t, os.Remove(s.path+suffix))
			time.Sleep(time.Second)
			ctx, cancel := context.WithCancel(t.Context())
			claimed := later(func() (executor.Lease, error) { return claimAny(ctx, s) })
			time.Sleep(time.Second)
			cancel()
			_, err := claimed()
			require.ErrorIs(t, err, context.Canceled)
			require.NotEmpty(t, s.Info().Fault)
		})
	}
}

// TestAHealedEndLeavesTheStart has a sync fail that recorded the start and the end of a task
// with a permit at once. The end is taken back from the file until it is recorded again. The
// task has begun all the while: wherever the process is killed meanwhile, it does not run again.
func TestAHealedEndLeavesTheStart(t *testing.T) {
	dir, copies := t.TempDir(), 0
	var id uuid.UUID
	at := func(n int) string { return filepath.Join(dir, strconv.Itoa(n)) }
	synctest.Test(t, func(t *testing.T) {
		var s *Store
		var v *faultvfs.VFS
		s, v, id = permitted(t, func(o *Options) { o.companyDelay = companyDelay })
		lease, err := claimAny(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, id, lease.Record().ID)
		v.Fail(faultvfs.Sync, faultvfs.WAL, sqlite3.IOERR_FSYNC, 1)
		v.Hook(func(op faultvfs.Op, _ faultvfs.Kind) {
			if op == faultvfs.Write || op == faultvfs.Sync {
				copyStore(t, s.path, at(copies))
				copies++
			}
		})
		recorded := make(chan error)
		lease.Finish(completed, func(err error) { recorded <- err })
		require.NoError(t, <-recorded)
		v.Hook(nil)
	})
	require.NotZero(t, copies)
	for n := range copies {
		s := open(t, func(o *Options) { o.Path, o.KeepFor = at(n), 100*365*24*time.Hour }) // it ended long ago
		got, err := s.Get(t.Context(), id)
		require.NoError(t, err)
		require.NotEqual(t, schema.Queued, got.State)
	}
}

// copyStore copies the files of a store whose process is held up.
func copyStore(t *testing.T, path, to string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		text, err := os.ReadFile(path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(to+suffix, text, 0o600))
	}
}

// TestWithoutNotesNothingHasAPermit has no directory in memory.
func TestWithoutNotesNothingHasAPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v, id := permitted(t, func(o *Options) { o.begunDir = t.TempDir() })
		require.True(t, s.permits.unusable)
		require.Empty(t, s.permits.given)
		goOn := stallDisk(v, faultvfs.Sync)
		claimed := later(func() (executor.Lease, error) { return claimAny(t.Context(), s) })
		goOn()
		lease, err := claimed()
		require.NoError(t, err)
		require.Equal(t, id, lease.Record().ID)
	})
}

// TestNotes reads what a process has noted.
func TestNotes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	of, err := os.Stat(path)
	require.NoError(t, err)
	b, err := disk.CreateBegun(disk.BegunDir, of, 2)
	require.NoError(t, err)
	require.True(t, b.Note(7, 70, 1))
	require.True(t, b.Note(8, 80, 2))
	require.False(t, b.Note(9, 90, 3), "there is no room")
	b.Forget(7)
	require.True(t, b.Note(9, 90, 3))
	begun, found := disk.ReadBegun(disk.BegunDir, of, b.Name(), 2, 3)
	require.True(t, found)
	require.Equal(t, map[int64]int64{8: 80, 9: 90}, begun)
	_, found = disk.ReadBegun(disk.BegunDir, of, b.Name(), 2, 2)
	require.False(t, found, "of an earlier state of the store")
	for name, notes := range map[string]int{b.Name(): 3, "another": 2, "": 2} {
		_, found = disk.ReadBegun(disk.BegunDir, of, name, notes, 3)
		require.False(t, found)
	}
	again, err := disk.CreateBegun(disk.BegunDir, of, 2)
	require.NoError(t, err, "of the next process")
	_, found = disk.ReadBegun(disk.BegunDir, of, b.Name(), 2, 3)
	require.False(t, found)
	begun, found = disk.ReadBegun(disk.BegunDir, of, again.Name(), 2, 3)
	require.True(t, found)
	require.Empty(t, begun, "a free slot is no task")
	require.NoError(t, again.Remove())
}

// TestForgedNotes has what other users may put where the notes are: none of it is taken for
// notes, and none keeps a server from starting.
func TestForgedNotes(t *testing.T) {
	s, _, _ := permitted(t)
	name, path := s.permits.begun.Name(), begunFile(t, s)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	read := func() bool {
		_, found := disk.ReadBegun(disk.BegunDir, s.opened, name, maxPermits, s.permits.commits)
		return found
	}
	require.True(t, read())
	elsewhere := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(elsewhere, whole, 0o600))
	for what, forge := range map[string]func() error{
		"a pipe":     func() error { return unix.Mkfifo(path, 0o600) },
		"a link":     func() error { return os.Symlink(elsewhere, path) },
		"cut":        func() error { return os.WriteFile(path, whole[:len(whole)-1], 0o600) },
		"a longer":   func() error { return os.WriteFile(path, append(whole, 0), 0o600) },
		"a stranger": func() error { return errors.Join(os.WriteFile(path, whole, 0o600), os.Chown(path, 1, 1)) },
	} {
		require.NoError(t, os.Remove(path))
		if err := forge(); err != nil {
			require.ErrorIs(t, err, os.ErrPermission, "only root gives files away")
			continue
		}
		require.False(t, read(), what)
	}
}

// TestNoPermitForWhatWaits submits a task that may not run yet, where there are free slots. After
// a power cut it has not been interrupted, because it has not begun.
func TestNoPermitForWhatWaits(t *testing.T) {
	s, v, _ := permitted(t)
	s.mu.Lock()
	s.permits.claims = 8
	s.mu.Unlock()
	waits := newTask(when(schema.Conditions{RunAt: schema.Now() + 3_600_000_000}))
	submit(t, s, waits)
	v.Cut()
	require.Error(t, s.Close())
	forgetBegun(t, s.path)
	is(t, openAt(t, s.path), waits.ID, schema.WaitsForTime)
}
