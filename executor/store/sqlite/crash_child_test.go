package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor/store/sqlite/faultvfs"
)

// childOrder is what a child process is to do with a store until it is killed.
type childOrder struct {
	Path string
	Seed uint64
	// Lossy makes the kill a power cut.
	Lossy bool
	// Phase is the place to stop at; "" is a load that does not end.
	Phase string
}

// runChild is the program. It ends when its parent does.
func runChild(text string) {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	var order childOrder
	err := json.Unmarshal([]byte(text), &order)
	if err == nil {
		var mu sync.Mutex
		err = order.run(func(f fact) {
			mu.Lock()
			defer mu.Unlock()
			fmt.Println(f)
		})
	}
	fmt.Fprintln(os.Stderr, "the child process:", err)
	os.Exit(1)
}

func (o *childOrder) run(tell func(fact)) error {
	tell(fact{what: factOpening})
	v := faultvfs.Register("child", faultvfs.Options{Lossy: o.Lossy, Early: 0.3, Seed: o.Seed})
	if o.Phase != "" {
		return o.runPhase(v, tell)
	}
	s, err := Open(context.Background(), Options{Path: o.Path, VFS: v.Name(), window: smallWindow})
	if err != nil {
		return err
	}
	l := &load{store: s, tell: tell}
	l.run(context.Background(), rand.New(rand.NewPCG(o.Seed, 1)))
	return errors.New("the load has ended")
}

// killChild runs a child and kills it when stop says so of a fact. It answers
// what the child had told by then.
func killChild(t *testing.T, order childOrder, stop func(fact) bool) (told []fact) {
	t.Helper()
	text, err := json.Marshal(order)
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), os.Args[0])
	c.Env = append(os.Environ(), childVar+"="+string(text))
	c.Stderr = t.Output()
	in, err := c.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines, alive := bufio.NewReaderSize(out, 1<<16), true
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // the end, and perhaps a line that the kill has cut
			break
		}
		f, err := parseFact(strings.TrimSuffix(line, "\n"))
		require.NoError(t, err)
		told = append(told, f)
		if alive && stop(f) {
			alive = false
			require.NoError(t, c.Process.Kill())
		}
	}
	require.False(t, alive, "the child ended by itself")
	require.ErrorContains(t, c.Wait(), "killed")
	return told
}
