package exec

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLogTellsTheOrder(t *testing.T) {
	var out, err, log strings.Builder
	o, e := inOrder(&out, &err, &log)
	for _, w := range []struct {
		to   interface{ Write([]byte) (int, error) }
		text string
	}{{o, "one\n"}, {o, "two\n"}, {e, "oh\n"}, {o, "three\n"}, {e, "no\n"}, {e, "!\n"}} {
		n, err := w.to.Write([]byte(w.text))
		require.NoError(t, err)
		require.Equal(t, len(w.text), n)
	}
	require.Equal(t, "one\ntwo\nthree\n", out.String())
	require.Equal(t, "oh\nno\n!\n", err.String())
	require.Equal(t, "stdout 8\nstderr 3\nstdout 14\n", log.String())
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestAnOrderThatCannotBeTold(t *testing.T) {
	var out, err strings.Builder
	o, e := inOrder(&out, &err, failing{})
	_, writeErr := o.Write([]byte("a"))
	require.NoError(t, writeErr)
	_, writeErr = e.Write([]byte("b"))
	require.EqualError(t, writeErr, "gone")
	require.Empty(t, err.String())
}
