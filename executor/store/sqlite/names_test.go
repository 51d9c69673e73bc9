package sqlite

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/sqlitetest"
)

// The short names of what these tests share with those of inspect.
var (
	newTask   = sqlitetest.NewTask
	submit    = sqlitetest.Submit
	claim     = sqlitetest.Claim
	claimAny  = sqlitetest.ClaimAny
	runOne    = sqlitetest.RunOne
	completed = sqlitetest.Completed
	findings  = sqlitetest.Findings
	exports   = sqlitetest.Exports
	edit      = sqlitetest.Edit
	looks     = sqlitetest.Looks
	newRandom = sqlitetest.NewRandom
)

func openPath(ctx context.Context, path string) (executor.Store, error) {
	return Open(ctx, Options{Path: path})
}

func sample(t *testing.T) (path string, ids []uuid.UUID) { return sqlitetest.Sample(t, openPath) }

func killed(t *testing.T) (path string, ids []uuid.UUID) { return sqlitetest.Killed(t, openPath) }
