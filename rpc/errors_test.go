package rpc

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestAnOutcomeThatIsNotKnown is not told as a request that was not done.
func TestAnOutcomeThatIsNotKnown(t *testing.T) {
	err := fmt.Errorf("%w: %w", executor.ErrStoreUnavailable, fmt.Errorf("%w: %w", executor.ErrOutcomeUnknown, context.DeadlineExceeded))
	answer := wireError(err)
	require.Equal(t, schema.CodeStoreUnavailable, answer.Code)
	require.Contains(t, answer.Message, "a submit with the same id counts once")
	require.NotContains(t, answer.Message, "it was not done")
	require.False(t, answer.Data.Retryable)
	require.True(t, answer.Data.OutcomeUnknown)
	require.False(t, wireError(executor.ErrStoreUnavailable).Data.OutcomeUnknown)
	require.True(t, wireError(executor.ErrStoreUnavailable).Data.Retryable)
}
