package executor

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// An id has the time that it was made for, as another implementation reads it,
// and is greater than all before it, whatever the clock does.
func TestIDsRise(t *testing.T) {
	var made ids
	begin := schema.TimeOf(time.Date(2026, 1, 2, 3, 4, 5, 678_901_000, time.UTC))
	before := uuid.Nil
	for i, now := range []schema.Time{begin, begin, begin + 1, begin + 999, begin + 1000, begin - 5_000_000, begin + 1000, begin + 3_600_000_000} {
		id := made.next(now)
		require.Equal(t, uuid.Version(7), id.Version())
		require.Equal(t, uuid.RFC4122, id.Variant())
		require.Greater(t, id.String(), before.String(), "id %d", i)
		if now >= begin {
			seconds, nanos := id.Time().UnixTime()
			require.Equal(t, now.Time().Truncate(time.Millisecond), time.Unix(seconds, nanos).UTC(), "id %d", i)
		}
		before = id
	}
}

// Many that are made at one time by many are all different.
func TestIDsDiffer(t *testing.T) {
	var made ids
	now := schema.Now()
	const makers, each = 8, 5000
	all := make([][]uuid.UUID, makers)
	var making sync.WaitGroup
	for i := range all {
		making.Go(func() {
			for range each {
				all[i] = append(all[i], made.next(now))
			}
		})
	}
	making.Wait()
	seen := map[uuid.UUID]bool{}
	for _, of := range all {
		for i, id := range of {
			require.False(t, seen[id])
			seen[id] = true
			require.True(t, i == 0 || id.String() > of[i-1].String())
		}
	}
}
