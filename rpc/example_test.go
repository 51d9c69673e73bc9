package rpc_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/sourcegraph/jsonrpc2"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/rpc"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/schema"
)

type greeting struct {
	Name string `json:"name" jsonschema:"who is greeted"`
}

type greeted struct {
	Text string `json:"text"`
}

func greet(_ context.Context, in greeting) (greeted, error) {
	return greeted{Text: "Hello, " + in.Name + "!"}, nil
}

// running is an executor that offers one type of task.
func running() *executor.Executor {
	ex, err := executor.New(memory.New(memory.Options{}), executor.Options{
		Types: []executor.Type{executor.MustDefine("greet", greet)},
	})
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

// A server on a connection of any kind, here one in memory. The reply of a
// shutdown is the last that it says.
func ExampleServe() {
	near, far := rpctest.Pipe()
	served := make(chan error, 1)
	go func() { served <- rpc.Serve(context.Background(), far, running(), rpc.Options{OnEOF: rpc.EOFDrain}) }()

	go func() {
		fmt.Fprintln(near, `{"jsonrpc":"2.0","id":1,"method":"submit","params":{"type":"greet","input":{"name":5}}}`)
		fmt.Fprintln(near, `{"jsonrpc":"2.0","id":2,"method":"shutdown"}`)
	}()
	var replies strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := near.Read(buf)
		replies.Write(buf[:n])
		if err != nil {
			break
		}
	}
	fmt.Print(replies.String())
	fmt.Println(<-served)
	// Output:
	// {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"input at /name: got number, want string","data":{"kind":"invalidParams","retryable":false,"violations":[{"pointer":"/name","message":"got number, want string"}]}}}
	// {"jsonrpc":"2.0","id":2,"result":{"completed":0,"failed":0,"cancelled":0,"left":0}}
	// <nil>
}

// A program that has a jsonrpc2.Conn, such as a language server, offers tasks
// beside its own methods.
func ExampleHandler() {
	hover := jsonrpc2.HandlerWithError(func(context.Context, *jsonrpc2.Conn, *jsonrpc2.Request) (any, error) {
		return "a language server's own", nil
	})
	near, far := rpctest.Pipe()
	ctx := context.Background()
	jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(far, jsonrpc2.VSCodeObjectCodec{}), rpc.Handler(running(), hover, rpc.Options{}))

	editor := jsonrpc2.NewConn(ctx, jsonrpc2.NewBufferedStream(near, jsonrpc2.VSCodeObjectCodec{}), hover)
	defer editor.Close()
	var own string
	if err := editor.Call(ctx, "textDocument/hover", nil, &own); err != nil {
		log.Fatal(err)
	}
	var types schema.TypesResult
	if err := editor.Call(ctx, "types", nil, &types); err != nil {
		log.Fatal(err)
	}
	fmt.Println(own)
	fmt.Println(types.Types[0].Name)
	// Output:
	// a language server's own
	// greet
}
