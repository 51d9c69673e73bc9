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
	q.keepAllOutput(id, true)
	q.keepAllOutput(id, true)
	q.keepAllOutput(id, false)
	require.Equal(t, 1, q.lossless[id])
	q.keepAllOutput(id, false)
	q.keepAllOutput(id, false) // the end of the task came before
	require.Empty(t, q.lossless)
}
