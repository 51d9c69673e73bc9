package memory

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The index finds what is in it, as a map does, while it grows and shrinks.
func TestIndexAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model, order := map[uuid.UUID]*entry{}, []uuid.UUID{}
		for range rapid.IntRange(0, 6).Draw(t, "rounds") {
			for range rapid.IntRange(0, 3*minPlaces).Draw(t, "add") {
				r := new(entry)
				r.Value.id = uuid.New()
				x.add(r)
				model[r.Value.id] = r
				order = append(order, r.Value.id)
			}
			for range min(rapid.IntRange(0, 4*minPlaces).Draw(t, "remove"), len(order)) {
				i := rapid.IntRange(0, len(order)-1).Draw(t, "which")
				x.remove(model[order[i]])
				require.Nil(t, x.get(order[i]))
				delete(model, order[i])
				order[i] = order[len(order)-1]
				order = order[:len(order)-1]
			}
			require.Equal(t, len(model), x.count)
			for id, r := range model {
				require.Same(t, r, x.get(id))
			}
			require.Nil(t, x.get(uuid.New()))
			require.LessOrEqual(t, 5*x.count, 4*len(x.tags))
			require.True(t, len(x.tags) <= steadyPlaces || 8*x.count >= len(x.tags), "%d of %d", x.count, len(x.tags))
		}
	})
}

// A table that was large is small again when nearly all have gone.
func TestIndexShrinks(t *testing.T) {
	var x index
	entries := make([]entry, 4*steadyPlaces)
	for i := range entries {
		entries[i].Value.id = uuid.New()
		x.add(&entries[i])
	}
	require.Greater(t, len(x.tags), 4*steadyPlaces)
	left := entries[len(entries)-10:]
	for i := range entries[:len(entries)-10] {
		x.remove(&entries[i])
	}
	require.LessOrEqual(t, len(x.tags), steadyPlaces)
	for i := range left {
		require.Same(t, &left[i], x.get(left[i].Value.id))
	}
}
