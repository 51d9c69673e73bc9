package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// TestRevocationBeforeAnybodyListens: the first wish counts, and Force of any.
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
			var r executor.Revocation
			for _, cause := range c.told {
				r.Revoke(cause)
			}
			var got []error
			r.OnRevoke(func(cause error) { got = append(got, cause) })
			require.Equal(t, []error{c.want}, got)
			r.Revoke(hard)
			r.Revoke(hard)
			require.Equal(t, []error{c.want, hard, hard}, got, "and whoever listens hears of each")
		})
	}
}

// TestASecondForceGivesNothingUp: code that kills its processes has its moment
// to see them end, however often it is forced.
func TestASecondForceGivesNothingUp(t *testing.T) {
	killer := executor.MustDefine("killer", func(ctx context.Context, _ empty) (empty, error) {
		<-executor.Killed(ctx)
		time.Sleep(500 * time.Millisecond)
		return empty{}, context.Cause(ctx)
	})
	withRig(t, executor.Options{Limit: 1, Types: []executor.Type{killer}}, func(r *rig) {
		id := r.of("killer")
		r.inState(id, schema.Running)
		for range 4 {
			r.cancel(id, executor.Cancellation{Force: true})
			r.pass(100 * time.Millisecond)
			r.Hasten(0)
		}
		r.inState(id, schema.Running)
		r.pass(100 * time.Millisecond)
		got := r.inState(id, schema.Cancelled)
		require.False(r, got.Error.Forced, "its code has ended by itself")
		require.Equal(r, 500*time.Millisecond, took(got))
		require.NotContains(r, r.log.String(), "does not stop")
	})
}

// TestASubmitThatIsAdmittedIsSeenThrough begins shutdowns while tasks are
// submitted: each that was admitted has an end when Run returns.
func TestASubmitThatIsAdmittedIsSeenThrough(t *testing.T) {
	const rounds = 300
	for range rounds {
		r := newRig(t, executor.Options{Limit: 2}, newMemory())
		go func() { r.over <- r.Executor.Run(t.Context()) }()
		admitted := make(chan int)
		for range 3 {
			go func() {
				for n := 0; ; n++ {
					record, err := r.Prepare(&schema.SubmitParams{Type: "fail"})
					if err == nil {
						_, err = r.Submit(context.Background(), []executor.Record{record})
					}
					if err != nil {
						admitted <- n
						return
					}
				}
			}()
		}
		r.Begin(schema.ShutdownDrain)
		require.NoError(t, <-r.over)
		c, err := r.store.Counts(t.Context())
		require.NoError(t, err)
		n := <-admitted + <-admitted + <-admitted
		again, err := r.store.Counts(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, n, c.Failed)
		require.Equal(t, c, again)
	}
}
