package storetest

import (
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// textContracts are about texts that no executor lets through: a store that
// gets one all the same must not have all the other tasks suffer for it.
var textContracts = []contract{
	{name: "that are not UTF-8 end a task all the same", test: textsOfAnEnd},
	{name: "that are not UTF-8 can be labels and reasons", test: textsOfATask},
}

const latin1 = "caf\xe9"

// ended waits for the end of a task to be recorded, as long as is decent.
func (f *fixture) ended(l executor.Lease, o executor.Outcome) {
	f.Helper()
	said := make(chan error, 1)
	l.Finish(o, func(err error) { said <- err })
	l.Release()
	f.until("the record of the end", func() bool { return len(said) > 0 })
	require.NoError(f, <-said)
}

func textsOfAnEnd(f *fixture) {
	for _, e := range []schema.TaskError{
		{Kind: latin1, Message: "m"},
		{Kind: schema.KindTaskError, Message: latin1},
		{Kind: schema.KindSignal, Signal: latin1},
		{Kind: schema.KindExit, StderrTail: latin1},
		{Kind: schema.KindSpawn, Errno: latin1},
	} {
		id := f.one()
		lease := f.claim()
		require.NoError(f, lease.Progress(schema.Progress{Value: 1, Unit: latin1, Message: latin1}))
		f.ended(lease, executor.Outcome{State: schema.Failed, Error: &e})
		require.Equal(f, schema.Failed, f.get(id).State)
		require.Empty(f, f.store.Info().Fault)
	}
	f.ran()
}

// textsOfATask has labels that are the same when they are made UTF-8.
func textsOfATask(f *fixture) {
	labels := withLabels(map[string]string{latin1: "a", "caf\xe8": latin1, "k": "v"})
	c := executor.Cancellation{Reason: latin1}
	queued := f.one(labels)
	require.Equal(f, schema.OutcomeCancelled, f.cancel(queued, c).Outcome)
	require.Equal(f, schema.Cancelled, f.get(queued).State)
	running := f.one(labels)
	lease := f.claim()
	require.Equal(f, schema.OutcomeCancelling, f.cancel(running, c).Outcome)
	f.ended(lease, c.Outcome())
	require.Equal(f, "v", f.get(running).Labels["k"])
	f.ran(labels)
}
