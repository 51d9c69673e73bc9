package executor

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/schema"
)

// Processes with different processors must come to the same delays, to the nanosecond. These are what the rounding of
// delay.go makes of the numbers; with floating point most are others.
func TestDelaysAreTheSameEverywhere(t *testing.T) {
	policy := func(delay int64, factor float64, most int64, jitter float64) *schema.Retry {
		return &schema.Retry{DelayMs: &delay, Factor: factor, MaxDelayMs: most, Jitter: &jitter}
	}
	for _, c := range []struct {
		policy *schema.Retry
		spent  int32
		random uint32
		want   time.Duration
	}{
		{policy(1000, 2, 3_600_000, 0), 5, 7, 16 * time.Second},
		{policy(1000, 1.1, 3_600_000, 0), 2, 7, 1100 * time.Millisecond},
		{policy(1000, 1.1, 3_600_000, 0), 40, 7, 41_144_777_879},
		{policy(1000, 1, 3_600_000, 0.1), 1, 0, 900 * time.Millisecond},
		{policy(1000, 1, 3_600_000, 0.1), 1, 1 << 31, time.Second},
		{policy(1000, 1, 3_600_000, 0.1), 1, math.MaxUint32, 1100 * time.Millisecond},
		{policy(1000, 1, 3_600_000, 1), 1, 0, 0},
		{policy(MaxMs-1, 1.0000001, MaxMs, 0), 2, 0, 315_360_000_000_000_000},
		{policy(MaxMs/7, 1.3, MaxMs, 0.3), 6, 0x9abcdef1, 177_755_229_173_938_144},
		{policy(1, MaxRetryFactor, MaxMs, 1), MaxRetryAttempts, 0xffff0000, 315_360_000_000_000_000},
	} {
		require.Equal(t, c.want, delayAfter(c.policy, c.spent, c.random), "%v, %d, %d", c.policy, c.spent, c.random)
	}
}

// A share in 128 bits is that of numbers of any size.
func TestSharesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.Uint64Range(0, MaxRetryFactor<<32).Draw(t, "share")
		n := rapid.Uint64().Draw(t, "n")
		most := rapid.Uint64().Draw(t, "most")
		want := new(big.Int).Mul(new(big.Int).SetUint64(s), new(big.Int).SetUint64(n))
		want.Rsh(want.Add(want, big.NewInt(1<<31)), 32)
		if want.Cmp(new(big.Int).SetUint64(most)) > 0 {
			want.SetUint64(most)
		}
		require.Equal(t, want.Uint64(), share(s).of(n, most))
	})
}
