package rpc_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

const exitLine = `{"jsonrpc":"2.0","method":"exit"}` + "\n"

// unread serves a client that has written two lines, of which the first makes
// a task print more than is sent to one who does not read.
func unread(t *testing.T, last string) (near io.ReadWriteCloser, served chan error) {
	near, far := rpctest.Pipe()
	ex := server(t, 1, talker(4<<20, 0, true))
	served = make(chan error, 1)
	go func() { served <- rpc.Serve(context.Background(), far, ex, rpc.Options{OnEOF: rpc.EOFCancel}) }()
	_, err := io.WriteString(near, submitLine(1, uuid.New(), "talker", "")+"\n")
	require.NoError(t, err)
	time.Sleep(time.Minute)
	_, err = io.WriteString(near, last)
	require.NoError(t, err)
	return near, served
}

// A client that sends exit and waits without reading is not waited for.
func TestExitWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, served := unread(t, exitLine)
		began := time.Now()
		require.NoError(t, <-served)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// One that reads, however slowly, gets all.
func TestExitWithSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, served := unread(t, exitLine)
		var got bytes.Buffer
		for piece := make([]byte, 64<<10); ; time.Sleep(900 * time.Millisecond) {
			n, err := near.Read(piece)
			got.Write(piece[:n])
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				break
			}
		}
		require.NoError(t, <-served)
		lines := bytes.Split(bytes.TrimSpace(got.Bytes()), []byte("\n"))
		require.Contains(t, string(lines[len(lines)-1]), schema.NotifyFinished)
	})
}

// The end of the input says nothing of the reader: it may be a slow program.
func TestEndOfInputWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, served := unread(t, "")
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		time.Sleep(time.Hour)
		text, err := io.ReadAll(near)
		require.NoError(t, err)
		require.Contains(t, string(text), schema.NotifyFinished)
		require.NoError(t, <-served)
	})
}

// full is a connection to a file whose disk is full.
type full struct{ io.Reader }

func (full) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "stdout", Err: syscall.ENOSPC}
}
func (full) Close() error { return nil }

// What cannot be written is said with its reason, and nothing that is not so.
func TestRepliesThatCannotBeWritten(t *testing.T) {
	err := rpc.Serve(t.Context(), full{bytes.NewReader([]byte(`{"jsonrpc":"2.0","id":1,"method":"types"}`))}, server(t, 1), rpc.Options{OnEOF: rpc.EOFDrain})
	require.ErrorIs(t, err, rpc.ErrReaderGone)
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.EqualError(t, err, "the replies cannot be written: write stdout: no space left on device")
}
