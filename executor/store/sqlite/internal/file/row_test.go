package file

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABoundIsInMilliseconds(t *testing.T) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	for d, want := range map[time.Duration]int64{
		0:                                        0,
		1:                                        1,
		time.Millisecond:                         1,
		time.Millisecond + 1:                     2,
		time.Hour:                                3_600_000,
		math.MaxInt64:                            most,
		math.MaxInt64 - time.Millisecond:         most,
		time.Duration(most-1) * time.Millisecond: most - 1,
	} {
		require.Equal(t, want, milliseconds(d), d)
		require.GreaterOrEqual(t, time.Duration(milliseconds(d))*time.Millisecond, d.Truncate(time.Millisecond), d)
	}
}
