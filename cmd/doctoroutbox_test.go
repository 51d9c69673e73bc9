package cmd

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// A disk that is full under an outbox is no namespace out of reach: the submits do not wait there.
func TestOutOfReach(t *testing.T) {
	store := func(outbox *schema.OutboxState, fault string) *schema.StoreStats {
		return &schema.StoreStats{Outbox: outbox, Fault: fault}
	}
	require.True(t, outOfReach(store(&schema.OutboxState{}, "there is no connection to the namespace")))
	require.False(t, outOfReach(store(&schema.OutboxState{}, "the outbox cannot be written: no space on the device of outbox.db; there is no connection to the namespace")))
	require.False(t, outOfReach(store(&schema.OutboxState{}, "")))
	require.False(t, outOfReach(store(nil, "nothing was recorded for 30s")))
}
