package sqlitetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// NewTask is a new task; set changes it.
func NewTask(set ...func(*executor.Submission)) executor.Submission {
	r := executor.Submission{Record: executor.Record{Grace: time.Second}}
	r.ID, r.Type, r.CreatedAt, r.Input = uuid.Must(uuid.NewV7()), "plain", schema.Now(), []byte(`{"a":1}`)
	for _, f := range set {
		f(&r)
	}
	return r
}

// Submit records tasks.
func Submit(t *testing.T, s executor.Store, records ...executor.Submission) {
	t.Helper()
	answers, err := s.Submit(t.Context(), records)
	require.NoError(t, err)
	for _, a := range answers {
		require.NoError(t, a.Err)
	}
}

// ClaimAny claims a task of any type.
func ClaimAny(ctx context.Context, s executor.Store) (executor.Lease, error) {
	c, err := s.Join(ctx, executor.Offer{})
	if err != nil {
		return nil, err
	}
	defer c.Leave()
	return c.Claim(ctx, executor.Ended{})
}

// Claim submits a task and claims it.
func Claim(t *testing.T, s executor.Store, set ...func(*executor.Submission)) executor.Lease {
	t.Helper()
	Submit(t, s, NewTask(set...))
	l, err := ClaimAny(t.Context(), s)
	require.NoError(t, err)
	return l
}

// RunOne claims a task and ends it.
func RunOne(t *testing.T, s executor.Store, o executor.Outcome) uuid.UUID {
	t.Helper()
	l, err := ClaimAny(t.Context(), s)
	require.NoError(t, err)
	recorded := make(chan error, 1)
	l.Finish(o, func(err error) { recorded <- err })
	l.Release()
	require.NoError(t, <-recorded)
	return l.Record().ID
}

// Completed is an end.
var Completed = executor.Outcome{State: schema.Completed, Result: []byte(`{"b":2}`)}
