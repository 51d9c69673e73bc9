package rpc_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/executor/store/storetest"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

// stalled serves a client that writes and does not read.
func stalled(t *testing.T, store executor.Store, maxUnsent int, types ...executor.Type) (write func(string)) {
	ex, err := executor.New(store, executor.Options{Types: types, Limit: 1})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran, served := make(chan error, 1), make(chan error, 1)
	near, far := rpctest.Pipe()
	go func() { ran <- ex.Run(ctx) }()
	go func() { served <- rpc.Serve(ctx, far, ex, rpc.Options{MaxUnsent: maxUnsent}) }()
	t.Cleanup(func() {
		cancel()
		require.Error(t, <-served)
		require.NoError(t, <-ran)
		near.Close()
	})
	texts := make(chan string, 1000)
	t.Cleanup(func() { close(texts) }) // before the others
	go func() {
		for text := range texts {
			if _, err := near.Write([]byte(text)); err != nil { // it may be read in part only
				return
			}
		}
	}()
	return func(text string) {
		texts <- text
		synctest.Wait()
	}
}

// A few bytes of requests that ask for very many of replies are not all
// answered into memory.
func TestRepliesThatNobodyReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, most, asked = 256 << 10, 1 << 20, 100
		id := uuid.New()
		writer := executor.MustDefine("writer", func(ctx context.Context, _ nothing) (nothing, error) {
			_, err := executor.Output(ctx, schema.Stdout).Write(bytes.Repeat([]byte("a"), size))
			return nothing{}, err
		})
		store := storetest.Faulty(memory.New(memory.Options{}))
		write := stalled(t, store, most, writer)
		write(fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"submit","params":{"type":"writer","id":%q,"events":[]}}`+"\n", id))
		line := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"output","params":{"id":%q,"limit":%d}}`+"\n", id, size)
		var all bytes.Buffer
		for range asked {
			all.WriteString(line)
		}
		write(all.String())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Greater(t, store.Calls("Output"), 2)
		require.LessOrEqual(t, store.Calls("Output"), most/size+2)
	})
}

// Results that wait for a client to read count, too.
func TestResultsThatNobodyReadsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, most = 256 << 10, 1 << 20
		large := executor.MustDefine("large", func(context.Context, nothing) (string, error) {
			return string(bytes.Repeat([]byte("a"), size)), nil
		})
		store := storetest.Faulty(memory.New(memory.Options{}))
		write := stalled(t, store, most, large)
		for range 100 {
			write(`{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"large","events":["finished"]}}` + "\n")
			time.Sleep(10 * time.Millisecond)
		}
		require.Greater(t, store.Calls("Submit"), 2)
		require.Less(t, store.Calls("Submit"), 20)
	})
}

// The message of an error is bounded: it goes into every answer about the task.
func TestMessageOfAnErrorIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, testTypes(t)...)
		task, err := c.Submit(t.Context(), schema.SubmitParams{
			Type: "fail", Input: fmt.Appendf(nil, `{"message":%q}`, bytes.Repeat([]byte("a"), 1<<20)),
		})
		require.NoError(t, err)
		done, err := c.WaitFor(t.Context(), task.ID)
		require.NoError(t, err)
		require.Len(t, done.Error.Message, 64<<10)
	})
}

// A client that asks for output alone gets all of it, also the beginning of a
// character at its end.
func TestOutputWithoutTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := rpctest.New(t, testTypes(t)...)
		_, err := c.Submit(t.Context(), schema.SubmitParams{
			Type: "print", Input: []byte(`{"stdout":["YWJjww=="]}`), Events: []string{"output"},
		})
		require.NoError(t, err)
		time.Sleep(time.Second)
		synctest.Wait()
		var got []schema.OutputEvent
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for ev := range c.Events(ctx) {
			require.NotNil(t, ev.Output)
			got = append(got, *ev.Output)
		}
		require.Len(t, got, 2)
		require.Equal(t, "abc", got[0].Data)
		require.Equal(t, "ww==", got[1].Data)
		require.Greater(t, got[1].Seq, got[0].Seq)
	})
}
