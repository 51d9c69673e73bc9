package rpc_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// watchedReads is a store that calls read before it answers Get.
type watchedReads struct {
	executor.Store
	read func(id uuid.UUID)
}

func (s *watchedReads) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	s.read(id)
	return s.Store.Get(ctx, id)
}

// A wait looks at its tasks one after the other. Tasks that end between two of
// these looks are sent before the answer, whether the wait has seen them end or not.
func TestTasksThatEndWhileAWaitBegins(t *testing.T) {
	for _, until := range []string{"any", "all"} {
		t.Run(until, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &watchedReads{Store: memory.New(memory.Options{}), read: func(uuid.UUID) {}}
				ex := serverOver(t, store, 1)
				p := connect(t, ex, rpc.Options{})
				running, before, between, after := uuid.New(), uuid.New(), uuid.New(), uuid.New()
				p.send(submitLine(1, running, "sleep", `,"input":{"durationMs":60000}`))
				for i, id := range []uuid.UUID{before, between, after} {
					p.send(submitLine(2+i, id, "noop", ""))
				}
				for range 5 { // the replies, and the start of the first
					p.next()
				}
				synctest.Wait()
				store.read = func(id uuid.UUID) {
					if id != between {
						return
					}
					for _, ends := range []uuid.UUID{before, between, after} {
						_, _, err := ex.Cancel(t.Context(), ends, executor.Cancellation{})
						require.NoError(t, err)
					}
				}
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":9,"method":"wait","params":{"ids":[%q,%q,%q],"until":%q}}`, before, between, after, until))
				for _, id := range []uuid.UUID{before, between, after} {
					m := p.next()
					require.Equal(t, schema.NotifyFinished, m.Method, "the reply of the wait came before the end of a task in it")
					require.Equal(t, id, m.Params.ID)
				}
				m := p.next()
				require.Equal(t, "9", string(m.ID))
				require.Nil(t, m.Error)
				p.conn.Close()
			})
		})
	}
}

// A wait that has ended and is not answered yet can be cancelled, and is then
// answered once.
func TestCancelledWaitIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := connect(t, server(t, 1, large(2<<20)), rpc.Options{})
		id := uuid.New()
		p.send(submitLine(1, id, "large", ""))
		require.Nil(t, p.next().Error)
		for _, wait := range []string{"a", "b", "c"} {
			p.send(waitLine(wait, id))
		}
		synctest.Wait() // the end of the task takes all the room there is: nothing is answered behind it
		p.send(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"b"}}`, `{"jsonrpc":"2.0","id":"last","method":"types"}`)
		answers := map[string][]bool{}
		for len(answers) < 4 {
			if m := p.next(); m.Method == "" {
				answers[string(m.ID)] = append(answers[string(m.ID)], m.Error == nil)
			}
		}
		synctest.Wait()
		p.send(`{"jsonrpc":"2.0","id":"stats","method":"stats"}`)
		require.Equal(t, `"stats"`, string(p.next().ID), "nothing came twice")
		require.Equal(t, map[string][]bool{`"a"`: {true}, `"b"`: {false}, `"c"`: {true}, `"last"`: {true}}, answers)
		require.Zero(t, p.pending(), "what was dropped is not counted twice")
		p.conn.Close()
	})
}
