package client_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

type counted struct {
	Lines int `json:"lines"`
}

// count counts the lines that clients send to it.
func count(ctx context.Context, _ struct{}) (c counted, err error) {
	lines := bufio.NewScanner(executor.Inputs(ctx))
	executor.Started(ctx, 0) // from now on clients can send something
	for lines.Scan() {
		c.Lines++
	}
	return c, lines.Err()
}

// A task that reads, as a command of exec does with openStdin.
func ExampleClient_InputWriter() {
	ctx := context.Background()
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{executor.MustDefine("count", count, executor.StartsItself())}})
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = ex.Run(ctx) }()
	near, far := rpctest.Pipe()
	go func() { _ = rpc.Serve(ctx, far, ex, rpc.Options{}) }()

	c := client.New(ctx, near, wire.FramingLine)
	task, err := c.Submit(ctx, schema.SubmitParams{Type: "count"})
	if err != nil {
		log.Fatal(err)
	}
	for ev := range c.Events(ctx) {
		switch {
		case ev.Started != nil:
			w := c.InputWriter(ctx, task.ID)
			if _, err := io.WriteString(w, "one\ntwo\nthree\n"); err != nil {
				log.Fatal(err)
			}
			if err := w.Close(); err != nil {
				log.Fatal(err)
			}
		case ev.Finished != nil:
			fmt.Println(ev.Finished.State, string(ev.Finished.Result))
			_ = c.Close()
			return
		}
	}
	// Output: completed {"lines":3}
}
