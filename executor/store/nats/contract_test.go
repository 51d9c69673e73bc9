package nats

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
)

// longLease is that of tests in which nobody may be given up because the machine is slow.
const longLease = 10 * time.Minute

// contractSnapshots is so little that stores of the suite make many snapshots, and begin with them.
const contractSnapshots = 8 << 10

// wholeMatrix lets the whole suite run with three servers, too, which takes minutes.
var wholeMatrix = os.Getenv("JOBLINE_NATS_MATRIX") != ""

// watchedParts are the parts of the suite that run under the race detector.
var watchedParts = []string{"submit", "claim after an end", "join", "cancel", "lease", "finish", "close", "events", "subscribe"}

// TestContract has one server.
func TestContract(t *testing.T) {
	if raced && !wholeMatrix {
		testContract(t, 1, watchedParts)
		return
	}
	testContract(t, 1, nil)
}

// TestContractOfThree has a cluster of three, in which each entry is on the disks of two of them
// before it is applied. Without the environment variable JOBLINE_NATS_MATRIX it is of some parts of
// the suite.
func TestContractOfThree(t *testing.T) {
	parts := []string{"submit", "claim after an end", "cancel", "lease", "finish", "close", "retention", "crash"}
	switch {
	case wholeMatrix:
		parts = nil
	case raced:
		t.Skip("the race detector watches the same with one server")
	}
	testContract(t, 3, parts)
}

// testContract runs the suite beside a second process for each store, which only looks on: at the
// end it must know the same.
func testContract(t *testing.T, servers int, parts []string) {
	all := clusterOf(t, servers)
	begin := func(t *testing.T, o Options) *Store {
		if strings.Contains(t.Name(), "unread_watcher") { // whose tasks are large: its snapshots would be, too
			o.Address = all.namespaceWith(t, Namespace{SnapshotBytes: 1 << 40})
			return open(t, o)
		}
		o.Address = all.namespaceWith(t, Namespace{SnapshotBytes: contractSnapshots})
		s := open(t, o)
		lookOn(t, s)
		return s
	}
	storetest.Run(t, storetest.Options{
		RealTime: true, Parallel: true, Parts: parts,
		Open: func(t *testing.T, l storetest.Limits) executor.Store {
			return begin(t, Options{Limits: limitsFor(l), Lease: longLease})
		},
		Reopen: func(t *testing.T, s executor.Store) executor.Store {
			require.NoError(t, s.Close())
			return open(t, s.(*Store).options)
		},
		Relimit: func(t *testing.T, s executor.Store, l storetest.Limits) executor.Store {
			require.NoError(t, s.Close())
			o := s.(*Store).options
			o.Limits = limitsFor(l)
			return open(t, o)
		},
		Crash: func(t *testing.T, s executor.Store) executor.Store {
			old := s.(*Store)
			old.crash()
			again := open(t, old.options)
			again.fence(t, old.self)
			return again
		},
	})
}

// lookOn opens a store beside another one, and compares what they know when the test is over.
func lookOn(t *testing.T, s *Store) {
	other := open(t, Options{Address: s.options.Address, Lease: longLease})
	t.Cleanup(func() {
		if !t.Failed() {
			last := open(t, other.options) // reads the newest snapshot, and what is behind it
			same := false
			for n := 0; n < 20 && !same; n++ { // retention may forget something between the two
				same = last.digest(t) == other.digest(t)
			}
			require.True(t, same, "one that has been there all the time, and one that came last, know the same")
			require.NoError(t, last.Close())
		}
		require.NoError(t, other.Close())
	})
}

// digest is that of what a store knows of all that was written so far.
func (s *Store) digest(t *testing.T) uint64 {
	t.Helper()
	said := make(chan uint64, 1)
	require.NoError(t, s.put(&pending{change: change{Beat: true}, done: func(answer) { said <- s.machine.tasks.Digest() }}))
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	select {
	case d := <-said:
		return d
	case <-ctx.Done():
		require.NoError(t, ctx.Err())
		return 0
	}
}

func limitsFor(l storetest.Limits) memory.Options {
	return memory.Options{
		Keep: l.Keep, KeepFor: l.KeepFor, KeepBytes: l.KeepBytes, KeepIDs: l.KeepIDs, MaxQueued: l.MaxQueued, MaxOutput: l.MaxOutput,
	}
}
