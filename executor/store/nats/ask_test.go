package nats

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A question that is lost is asked again soon. One that is refused is not, and neither is one that has been asked
// for as long as that may take.
func TestQuestionsAreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, began := 0, time.Now()
		lost := func(ctx context.Context) (int, error) {
			if tries++; tries == 2 {
				return 7, nil
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		n, err := askServers(t.Context(), lost)
		require.NoError(t, err)
		require.Equal(t, 7, n)
		require.Equal(t, firstAskTimeout, time.Since(began))

		began = time.Now()
		_, err = askServers(t.Context(), lost)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, askTimeout, time.Since(began))

		refusal := errors.New("refused")
		tries = 0
		_, err = askServers(t.Context(), func(context.Context) (int, error) { tries++; return 0, refusal })
		require.ErrorIs(t, err, refusal)
		require.Equal(t, 1, tries)
	})
}
