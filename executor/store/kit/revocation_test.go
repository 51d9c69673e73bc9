package kit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
)

// TestRevocationBeforeAnybodyListens: the first request counts, and Force of any.
func TestRevocationBeforeAnybodyListens(t *testing.T) {
	soft, hard := &executor.Cancellation{Reason: "soft"}, &executor.Cancellation{Reason: "hard", Force: true}
	for name, c := range map[string]struct {
		told []error
		want error
	}{
		"one":               {[]error{soft}, soft},
		"force comes later": {[]error{soft, hard}, &executor.Cancellation{Reason: "soft", Force: true}},
		"force came first":  {[]error{hard, soft}, hard},
		"force twice":       {[]error{hard, hard}, hard},
		"the lease is lost": {[]error{soft, executor.ErrLeaseLost}, executor.ErrLeaseLost},
	} {
		t.Run(name, func(t *testing.T) {
			var r kit.Revocation
			for _, cause := range c.told {
				r.Revoke(cause)
			}
			var got []error
			r.OnRevoke(func(cause error) { got = append(got, cause) })
			require.Equal(t, []error{c.want}, got)
			r.Revoke(hard)
			r.Revoke(hard)
			require.Equal(t, []error{c.want, hard, hard}, got, "and a listener hears of each")
		})
	}
}
