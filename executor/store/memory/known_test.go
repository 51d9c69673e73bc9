package memory

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The ids of all tasks that are kept are known, and of those that are not the newest
// half of the limit. No more than the limit are. Of several ends with an id, the latest
// is found.
func TestKnownIDsAreTheNewest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := known{limit: uint64(rapid.IntRange(0, 3000).Draw(t, "limit"))}
		var all []uuid.UUID
		kept := uint64(0)
		for range rapid.IntRange(0, 30).Draw(t, "rounds") {
			for range rapid.IntRange(0, 600).Draw(t, "add") {
				k.add(newID(t, all), uint64(len(all)), kept)
				all = append(all, k.idOfLast())
			}
			kept += uint64(rapid.IntRange(0, len(all)-int(kept)).Draw(t, "forget"))
			checkKnown(t, &k, all, kept)
		}
	})
}

// newID is an id that is rarely that of one of the others.
func newID(t *rapid.T, others []uuid.UUID) uuid.UUID {
	if len(others)%100 == 99 {
		return others[rapid.IntRange(0, len(others)-1).Draw(t, "again")]
	}
	return uuid.New()
}

func (k *known) idOfLast() uuid.UUID { return *k.young.at(uint64(k.young.count - 1)) }

func checkKnown(t *rapid.T, k *known, all []uuid.UUID, kept uint64) {
	latest := map[uuid.UUID]uint64{}
	for i, id := range all {
		latest[id] = uint64(i)
	}
	for id, number := range latest {
		found, is := k.find(id, kept)
		switch {
		case number >= kept:
			require.True(t, is)
			require.Equal(t, id, k.idOf(number))
		case kept-number <= k.limit/2:
			require.True(t, is)
		case kept-number > k.limit:
			require.False(t, is)
		}
		if is {
			require.Equal(t, number, found)
		}
	}
	_, is := k.find(uuid.New(), kept)
	require.False(t, is)
}
