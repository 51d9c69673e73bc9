package rpc_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/schema"
)

// cancelLines are cancels of tasks; the id of each request is its index.
func cancelLines(ids []uuid.UUID) []string {
	lines := make([]string, len(ids))
	for i, id := range ids {
		lines[i] = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"cancel","params":{"id":%q}}`, i, id)
	}
	return lines
}

func durableStore(t *testing.T, vfs string) executor.Store {
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "tasks.db"), VFS: vfs})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// submitTogether submits tasks that send no events, and waits for the answers.
func (p *peer) submitTogether(n int, typ, input string) []uuid.UUID {
	ids := make([]uuid.UUID, n)
	for i := range ids {
		ids[i] = uuid.New()
		p.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"submit","params":{"type":%q,"id":%q,"input":%s,"events":[]}}`, i, typ, ids[i], input))
		require.Nil(p, p.next().Error)
	}
	return ids
}

// TestCancelsShareASync counts the syncs of cancels that are read together, as lines and
// as a batch.
func TestCancelsShareASync(t *testing.T) {
	const n = 400
	v := faultvfs.New(t, faultvfs.Options{})
	p := connect(t, serverOver(t, durableStore(t, v.Name()), 1), rpc.Options{OnEOF: rpc.EOFCancel})
	p.submitTogether(1, "sleep", `{"durationMs":600000}`)
	for name, send := range map[string]func([]string) string{
		"lines": func(lines []string) string { return strings.Join(lines, "\n") },
		"batch": func(lines []string) string { return "[" + strings.Join(lines, ",") + "]" },
	} {
		ids := p.submitTogether(n, "noop", "{}")
		var syncs atomic.Int32
		v.Hook(func(op faultvfs.Op, kind faultvfs.Kind) {
			if op == faultvfs.Sync && kind == faultvfs.WAL {
				syncs.Add(1)
			}
		})
		p.send(send(cancelLines(ids)))
		replies := p.replies(n)
		v.Hook(nil)
		require.NotZero(t, syncs.Load(), name)
		require.LessOrEqual(t, syncs.Load(), int32(n/40), name)
		for i, m := range replies {
			require.Equal(t, schema.OutcomeCancelled, cancelResult(t, m).Outcome)
			require.Equal(t, ids[i], cancelResult(t, m).Task.ID)
		}
	}
}

// replies reads so many replies, alone or of one batch.
func (p *peer) replies(n int) (replies []message) {
	for len(replies) < n {
		if m := p.next(); m.Batch != nil {
			replies = append(replies, m.Batch...)
		} else {
			replies = append(replies, m)
		}
	}
	return replies
}

func cancelResult(t *testing.T, m message) (r schema.CancelResult) {
	t.Helper()
	require.Nil(t, m.Error)
	unmarshal(t, m.Result, &r)
	return r
}

// TestCancelsOfLargeResults cancels tasks that have finished, whose results together are
// far longer than what the store answers at once.
func TestCancelsOfLargeResults(t *testing.T) {
	const n = 2 + 6/fewer
	p := connect(t, serverOver(t, durableStore(t, ""), 1), rpc.Options{OnEOF: rpc.EOFCancel, MaxUnsent: 1 << 20})
	ids := p.submitTogether(n, "echo", `{"text":"`+strings.Repeat("x", 3<<20)+`"}`)
	for _, id := range ids {
		for p.stateOf(id) != schema.Completed {
		}
	}
	queued := p.submitTogether(1, "sleep", `{"durationMs":600000}`)
	go p.send(strings.Join(cancelLines(append(ids, queued...)), "\n"))
	for i := range ids {
		r := cancelResult(t, p.next())
		require.Equal(t, schema.OutcomeAlreadyFinished, r.Outcome)
		require.Equal(t, ids[i], r.Task.ID)
		require.Greater(t, len(r.Task.Result), 3<<20)
		require.Nil(t, r.Task.Input)
	}
	require.Equal(t, queued[0], cancelResult(t, p.next()).Task.ID)
}

// TestCancelsThatFail: an error of the store is the answer to each of them.
func TestCancelsThatFail(t *testing.T) {
	store := storetest.Faulty(memory.New(memory.Options{}))
	p := connect(t, serverOver(t, store, 1), rpc.Options{OnEOF: rpc.EOFCancel})
	ids := p.submitTogether(3, "sleep", `{"durationMs":600000}`)
	store.Fail("Cancel", 1)
	p.send(strings.Join(cancelLines(ids), "\n"))
	for i, m := range p.replies(len(ids)) {
		require.Equal(t, fmt.Sprint(i), string(m.ID))
		require.Contains(t, m.Error.Message, ids[i].String())
		require.Equal(t, schema.CodeStoreUnavailable, m.Error.Code)
	}
}

// panickingCancels is a store with a fault in its code.
type panickingCancels struct {
	executor.Store
	panics atomic.Bool
}

func (s *panickingCancels) Cancel(ctx context.Context, ids []uuid.UUID, c executor.Cancellation) ([]executor.CancelAnswer, error) {
	if s.panics.Load() {
		panic("a fault of the store")
	}
	return s.Store.Cancel(ctx, ids, c)
}

// TestCancelsThatPanic: each is answered once, and the connection goes on.
func TestCancelsThatPanic(t *testing.T) {
	store := &panickingCancels{Store: memory.New(memory.Options{})}
	p := connect(t, serverOver(t, store, 1), rpc.Options{OnEOF: rpc.EOFCancel})
	ids := p.submitTogether(3, "sleep", `{"durationMs":600000}`)
	store.panics.Store(true)
	p.send(strings.Join(cancelLines(ids), "\n"))
	for i, m := range p.replies(len(ids)) {
		require.Equal(t, fmt.Sprint(i), string(m.ID))
		require.Equal(t, schema.CodeInternal, m.Error.Code)
	}
	store.panics.Store(false)
	p.send(cancelLines(ids)...)
	for _, m := range p.replies(len(ids)) {
		cancelResult(t, m)
	}
}
