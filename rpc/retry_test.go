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

// searched is a store in which looking at all tasks takes until it is told.
type searched struct {
	*memory.Store
	through chan struct{}
}

func (s searched) List(ctx context.Context, f executor.Filter, p executor.PageRequest) (executor.Page, error) {
	<-s.through
	return s.Store.List(ctx, f, p)
}

// TestRetriesBesideTheReader: later requests are answered meanwhile, a further retry is refused at the
// limit, and the end of the connection waits for all.
func TestRetriesBesideTheReader(t *testing.T) {
	const most = 16
	for _, end := range []string{"shutdown", "exit"} {
		synctest.Test(t, func(t *testing.T) {
			store := searched{memory.New(memory.Options{}), make(chan struct{})}
			p := connect(t, serverOver(t, store, 2), rpc.Options{})
			old := uuid.New()
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","method":"submit","params":{"type":"fail","id":%q,"events":[]}}`, old))
			synctest.Wait()
			for i := range most + 1 {
				p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"retry","params":{"id":%q,"dependents":true}}`, i, old))
			}
			m := p.next()
			require.Equal(t, fmt.Sprint(most), string(m.ID))
			requireCode(t, schema.CodeQueueFull, m)
			p.send(`{"jsonrpc":"2.0","id":"types","method":"types"}`)
			require.Equal(t, `"types"`, string(p.next().ID))
			p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":"end","method":%q}`, end))
			synctest.Wait()
			close(store.through)
			seen := map[string]bool{}
			for range most {
				m := p.next()
				require.Nil(t, m.Error)
				seen[string(m.ID)] = true
			}
			require.Len(t, seen, most)
			p.conn.Close()
		})
	}
}
