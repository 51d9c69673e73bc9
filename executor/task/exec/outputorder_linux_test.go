package exec

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/schema"
)

// TestOnePipeForBoth: with stderr in stdout all is in the order in which it was
// written, however late it is read.
func TestOnePipeForBoth(t *testing.T) {
	in := Input{
		Argv:   []string{"sh", "-c", `i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; exit 3`},
		Stderr: "stdout",
	}
	a := run(t, newCommand(t, Options{}), in)
	var want strings.Builder
	for i := range 300 {
		fmt.Fprintf(&want, "o%d\ne%d\n", i, i)
	}
	require.Equal(t, want.String(), a.stdout.String())
	require.Empty(t, a.stderr.String())
	f := a.failure(t)
	require.Equal(t, schema.KindExit, f.Kind)
	require.True(t, strings.HasSuffix(f.StderrTail, "o299\ne299\n"), f.StderrTail)
}

func TestWhereStderrGoes(t *testing.T) {
	c := newCommand(t, Options{})
	for given, want := range map[string][2]string{
		"": {"out\n", "err\n"}, "stderr": {"out\n", "err\n"}, "stdout": {"out\nerr\n", ""},
	} {
		a := run(t, c, Input{Argv: []string{"sh", "-c", "echo out; echo err >&2"}, Stderr: given})
		require.NoError(t, a.err)
		require.Equal(t, want, [2]string{a.stdout.String(), a.stderr.String()}, given)
	}
	f := run(t, c, Input{Argv: []string{"true"}, Stderr: "log"}).failure(t)
	require.Equal(t, "EINVAL", f.Errno)
	require.Equal(t, `stderr is "log": want stderr, ordered or stdout`, f.Message)
}

// labelled writes what it is given after a label.
type labelled struct {
	to    io.Writer
	label string
}

func (l labelled) Write(p []byte) (int, error) {
	_, err := fmt.Fprintf(l.to, "%s:%s ", l.label, p)
	return len(p), err
}

// TestTheFirstIsReadFirst: of two pipes that can both be read, that one is read
// first which could be first.
func TestTheFirstIsReadFirst(t *testing.T) {
	exited, exit, err := os.Pipe() // stands for a process that has exited
	require.NoError(t, err)
	defer exited.Close()
	for want, order := range map[string][]int{
		"out:a err:b ": {1, 2}, "err:a out:b ": {2, 1},
		"out:ac err:b ": {1, 2, 1}, "err:ac out:b ": {2, 1, 2},
	} {
		var all screen
		s, err := openStreams(stdinSource{}, labelled{&all, "out"}, labelled{&all, "err"})
		require.NoError(t, err)
		for i, child := range order {
			_, err := s.child[child].WriteString("abc"[i : i+1])
			require.NoError(t, err)
		}
		s.closeChild()
		exit.Close()
		s.readUntilExit(int(exited.Fd()))
		s.copyInBackground()
		require.Equal(t, want, all.String())
		require.False(t, s.drain(nil))
	}
}
