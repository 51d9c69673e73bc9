package client_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// running is an executor with the task types that ship.
func running() *executor.Executor {
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: builtinTypes()})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := ex.Run(context.Background()); err != nil {
			log.Fatal(err)
		}
	}()
	return ex
}

// A client over a connection that there is already.
func ExampleNew() {
	near, far := rpctest.Pipe()
	served := make(chan error, 1)
	go func() { served <- rpc.Serve(context.Background(), far, running(), rpc.Options{}) }()

	ctx := context.Background()
	c := client.New(ctx, near, wire.FramingLine)
	task, err := c.Submit(ctx, schema.SubmitParams{Type: "squirrelPatrol", Input: jsontext.Value(`{"durationMs":100}`)})
	if err != nil {
		log.Fatal(err)
	}
	for ev := range c.Events(ctx) {
		if ev.Finished != nil && ev.TaskID() == task.ID {
			fmt.Println(ev.Finished.State, string(ev.Finished.Result))
			break
		}
	}
	_ = c.Close()
	<-served
	// Output: completed {"squirrelsSeen":1}
}

// A server that is a child process. Closing the client lets it finish what it
// was asked to do.
func ExampleSpawn() {
	server := exec.Command(os.Args[0]) // of a program: exec.Command("jobline", "serve")
	server.Env = append(os.Environ(), serveVariable+"=1")
	ctx := context.Background()
	c, err := client.Spawn(ctx, server)
	if err != nil {
		log.Fatal(err)
	}
	task, err := c.Submit(ctx, schema.SubmitParams{Type: "squirrelPatrol", Input: jsontext.Value(`{"durationMs":100}`)})
	if err != nil {
		log.Fatal(err)
	}
	final, err := c.WaitFor(ctx, task.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(final.State, string(final.Result))
	fmt.Println(c.Close())
	// Output:
	// completed {"squirrelsSeen":1}
	// <nil>
}
