package executor

import (
	"math"
	"math/bits"
	"time"

	"github.com/jobline/jobline/schema"
)

// This file computes how long a task waits before it is tried again. Copies of a store that many processes share
// compute it each for itself, and must come to the same. It is done in whole numbers, because of floating
// point a processor may round the sum of a product otherwise than another.

// share is a number without a sign, in parts of 1<<32.
type share uint64

// all is the share that is 1.
const all share = 1 << 32

// shareOf is a number from 0 up to MaxRetryFactor as a share.
func shareOf(x float64) share { return share(math.Round(x * float64(all))) } // the product is exact

// of is the share of n, rounded, or most where that is less.
func (s share) of(n, most uint64) uint64 {
	high, low := bits.Mul64(n, uint64(s))
	low, carry := bits.Add64(low, uint64(all/2), 0)
	if high += carry; high >= uint64(all) {
		return most
	}
	return min(high<<32|low>>32, most)
}

// delayAfter is how long a task waits after so many attempts. All values of random are as likely.
func delayAfter(policy *schema.Retry, spent int32, random uint32) time.Duration {
	nanoseconds := func(ms int64) uint64 { return uint64(ms) * uint64(time.Millisecond) }
	most := nanoseconds(policy.MaxDelayMs)
	wait := min(nanoseconds(*policy.DelayMs), most)
	if factor := shareOf(policy.Factor); factor != all {
		for n := int32(1); n < spent && 0 < wait && wait < most; n++ {
			wait = factor.of(wait, most)
		}
	}
	jitter := shareOf(*policy.Jitter)
	return time.Duration((all - jitter + share((2*jitter).of(uint64(random), math.MaxUint64))).of(wait, most))
}
