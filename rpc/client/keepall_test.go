package client

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A second submit that is refused does not end what the first has asked for.
func TestOutputIsKeptForEverySubmit(t *testing.T) {
	var q eventQueue
	q.init()
	id := uuid.New()
	q.keepAll(id, true)
	q.keepAll(id, true)
	q.keepAll(id, false)
	require.Equal(t, 1, q.whole[id])
	q.keepAll(id, false)
	q.keepAll(id, false) // the end of the task came before
	require.Empty(t, q.whole)
}
