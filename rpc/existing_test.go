package rpc_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// endsMeanwhile is a store in which a task that is submitted again ends right
// after the store has answered.
type endsMeanwhile struct{ executor.Store }

func (s endsMeanwhile) Submit(ctx context.Context, records []executor.Submission) ([]executor.Submitted, error) {
	answers, err := s.Store.Submit(ctx, records)
	for i := range answers {
		if answers[i].Existing {
			_, _ = s.Store.Cancel(ctx, []uuid.UUID{records[i].ID}, executor.Cancellation{Reason: "meanwhile"})
		}
	}
	return answers, err
}

// Who submits again hears of the end: by the answer, or by an event.
func TestSubmittedAgainWhileItEnds(t *testing.T) {
	for _, keep := range []int{1, -1} {
		t.Run(fmt.Sprint("keep ", keep), func(t *testing.T) {
			ex := serverOver(t, endsMeanwhile{memory.New(memory.Options{Keep: keep})}, 1)
			first, again, id := connect(t, ex, rpc.Options{}), connect(t, ex, rpc.Options{}), uuid.New()
			first.send(submitLine(1, uuid.New(), "sleep", `,"input":{"durationMs":600000}`))
			require.Nil(t, first.reply("1").Error)
			first.send(submitLine(2, id, "noop", ""))
			require.Nil(t, first.reply("2").Error)
			for _, output := range []string{"newest", "lossless"} {
				again.send(submitLine(3, id, "noop", `,"output":"`+output+`"`))
				m := again.next()
				if keep < 0 {
					require.Equal(t, schema.CodeTaskGone, m.Error.Code)
					continue
				}
				require.Equal(t, schema.Cancelled, m.task(t).State)
			}
			again.send(`{"jsonrpc":"2.0","id":4,"method":"stats"}`)
			require.Equal(t, "4", string(again.next().ID), "there is nothing more to hear")
		})
	}
}
