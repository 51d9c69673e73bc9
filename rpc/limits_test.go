package rpc_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The schema is a leaf and writes down limits that the executor has as
// constants: they are the same.
func TestSchemaHasTheLimitsOfTheExecutor(t *testing.T) {
	s, err := schema.Derive[schema.SubmitParams]()
	require.NoError(t, err)
	var published struct {
		Properties map[string]struct {
			Minimum, Maximum, MaxProperties int64
			AdditionalProperties            json.RawMessage
		}
	}
	require.NoError(t, json.Unmarshal(s.Raw(), &published))
	var label struct{ MaxLength int }
	require.NoError(t, json.Unmarshal(published.Properties["labels"].AdditionalProperties, &label))

	require.Equal(t, int64(executor.MinPriority), published.Properties["priority"].Minimum)
	require.Equal(t, int64(executor.MaxPriority), published.Properties["priority"].Maximum)
	require.Equal(t, executor.MaxMs, published.Properties["timeoutMs"].Maximum)
	require.Equal(t, executor.MaxMs, published.Properties["graceMs"].Maximum)
	require.Equal(t, int64(executor.MaxLabels), published.Properties["labels"].MaxProperties)
	require.Equal(t, executor.MaxLabelBytes, label.MaxLength)
}
