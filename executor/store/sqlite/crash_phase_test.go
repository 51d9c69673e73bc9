package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/sqlite/internal/disk"
	"github.com/jobline/jobline/schema"
)

// The places at which a process is killed.
const (
	phaseWritten   = "a submit is written and not synced"
	phaseQueued    = "tasks wait"
	phaseRunning   = "tasks run"
	phasePermitted = "a task has begun by a permit and its start is not written"
	phaseStarted   = "a task has begun by a permit and its start is written and not synced"
	phaseEnded     = "code has ended and nothing of it is written"
	phaseRecording = "ends are written and not synced"
	phaseCopying   = "the closing store copies its log"
	phaseCopied    = "the closing store has copied its log and not synced"
)

// idOf makes an id of which the traits are plain, and typ is the type's place
// in typeOf. Later ones are greater.
func idOf(typ byte) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	for i := 9; i < 15; i++ {
		id[i] = 255
	}
	id[15] = typ
	return id
}

const once, again = 0, 1 // for idOf

// phase is a child process on its way to the place where it is killed.
type phase struct {
	store *Store
	vfs   *faultvfs.VFS
	tell  func(fact)
}

// stopAt has the process stop before a call, for good.
func (p *phase) stopAt(op faultvfs.Op, kind faultvfs.Kind, id uuid.UUID) {
	p.vfs.Hook(func(o faultvfs.Op, k faultvfs.Kind) {
		if o == op && k == kind {
			p.here(id)
		}
	})
}

func (p *phase) here(id uuid.UUID) {
	p.tell(fact{what: factHere, id: id})
	select {}
}

func (p *phase) submit(ids ...uuid.UUID) error {
	for _, id := range ids {
		if _, err := p.store.Submit(context.Background(), []executor.Submission{planned(id)}); err != nil {
			return err
		}
		p.tell(fact{what: factAcked, id: id})
	}
	return nil
}

func (o *childOrder) runPhase(v *faultvfs.VFS, tell func(fact)) error {
	s, err := Open(context.Background(), Options{Path: o.Path, VFS: v.Name()})
	if err != nil {
		return err
	}
	if _, err := s.Join(context.Background(), executor.Offer{}); err != nil { // so that what waits can be claimed
		return err
	}
	p := &phase{s, v, tell}
	if o.Phase == phaseWritten {
		id := idOf(once)
		p.stopAt(faultvfs.Sync, faultvfs.WAL, id)
		return p.submit(id)
	}
	if err := p.submit(idOf(once), idOf(again), idOf(once)); err != nil {
		return err
	}
	if o.Phase == phaseQueued {
		p.here(uuid.Nil)
	}
	var leases [2]executor.Lease
	for i := range leases {
		if leases[i], err = claimAny(context.Background(), s); err != nil {
			return err
		}
		tell(fact{what: factBegun, id: leases[i].Record().ID})
	}
	if err := p.submit(idOf(once)); err != nil { // the starts are recorded before it
		return err
	}
	switch o.Phase {
	case phaseRunning:
		p.here(uuid.Nil)
	case phasePermitted, phaseStarted:
		op := map[string]faultvfs.Op{phasePermitted: faultvfs.Write, phaseStarted: faultvfs.Sync}[o.Phase]
		stopped := make(chan struct{})
		p.vfs.Hook(func(o faultvfs.Op, k faultvfs.Kind) {
			if o == op && k == faultvfs.WAL {
				close(stopped)
				select {}
			}
		})
		lease, err := claimAny(context.Background(), s)
		if err != nil {
			return err
		}
		tell(fact{what: factBegun, id: lease.Record().ID})
		<-stopped
		p.here(uuid.Nil)
	case phaseEnded:
		p.stopAt(faultvfs.Write, faultvfs.WAL, uuid.Nil)
	case phaseRecording:
		p.stopAt(faultvfs.Sync, faultvfs.WAL, uuid.Nil)
	}
	for _, l := range leases {
		recorded := make(chan error)
		l.Finish(outcomeOf(l.Record().ID), func(err error) { recorded <- err })
		if err := <-recorded; err != nil {
			return err
		}
		tell(fact{what: factFinal, id: l.Record().ID, text: schema.Completed.String()})
	}
	p.stopAt(map[string]faultvfs.Op{phaseCopying: faultvfs.Write, phaseCopied: faultvfs.Sync}[o.Phase], faultvfs.Main, uuid.Nil)
	return s.Close()
}

// TestKilledAt kills a process at each place in the life of a task. While two tasks run, the
// two that wait have permits. After a kill it is known that they have not begun; after a
// power cut it is not.
func TestKilledAt(t *testing.T) {
	queued, completed, failed := schema.Queued, schema.Completed, schema.Failed
	for _, c := range []struct {
		phase string
		// states are what the tasks may be in after a kill, in the order of their submission;
		// dark is after a power cut, where that is not the same.
		states, dark [][]schema.State
	}{
		{phaseWritten, [][]schema.State{{}, {queued}}, nil},
		{phaseQueued, [][]schema.State{{queued, queued, queued}}, nil},
		{phaseRunning, [][]schema.State{{failed, queued, queued, queued}}, [][]schema.State{{failed, queued, failed, failed}}},
		{phasePermitted, [][]schema.State{{failed, queued, failed, queued}}, [][]schema.State{{failed, queued, failed, failed}}},
		{phaseStarted, [][]schema.State{{failed, queued, failed, queued}}, [][]schema.State{{failed, queued, failed, failed}}},
		{phaseEnded, [][]schema.State{{failed, queued, queued, queued}}, [][]schema.State{{failed, queued, failed, failed}}},
		{phaseRecording,
			[][]schema.State{{failed, queued, queued, queued}, {completed, queued, queued, queued}, {completed, completed, queued, queued}},
			[][]schema.State{{failed, queued, failed, failed}, {completed, queued, failed, failed}, {completed, completed, failed, failed}}},
		{phaseCopying, [][]schema.State{{completed, completed, queued, queued}}, nil},
		{phaseCopied, [][]schema.State{{completed, completed, queued, queued}}, nil},
	} {
		for name, lossy := range map[string]bool{"kill": false, "power": true} {
			t.Run(c.phase+"/"+name, func(t *testing.T) {
				t.Parallel()
				order := childOrder{Path: filepath.Join(t.TempDir(), "tasks.db"), Phase: c.phase, Lossy: lossy, Seed: newRandom(t).Uint64()}
				g := newLedger()
				var at uuid.UUID
				for _, f := range killChild(t, order, func(f fact) bool { return f.what == factHere }) {
					g.note(f)
					at = f.id
				}
				want := c.states
				if lossy {
					forgetBegun(t, order.Path)
					if c.dark != nil {
						want = c.dark
					}
				}
				require.NoError(t, recovered(t, order.Path, g))
				s := openAt(t, order.Path)
				p, err := s.List(t.Context(), executor.Filter{}, executor.PageRequest{Oldest: true, Limit: 10})
				require.NoError(t, err)
				states := []schema.State{}
				for _, task := range p.Tasks {
					states = append(states, task.State)
				}
				require.Contains(t, want, states)
				if at != uuid.Nil { // whether it was recorded or not, it can be submitted again
					submit(t, s, planned(at))
					counts, err := s.Counts(t.Context())
					require.NoError(t, err)
					require.EqualValues(t, 1, counts.Queued)
				}
			})
		}
	}
}

// openAt opens a store for as long as the test runs.
func openAt(t *testing.T, path string) *Store {
	t.Helper()
	return open(t, func(o *Options) { o.Path = path })
}

// forgetBegun loses what is only in memory, as when the system ends.
func forgetBegun(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	disk.RemoveBegun(disk.BegunDir, info)
}
