// Package rpc is the protocol of docs/protocol.md on a connection: [Serve]
// speaks it for an executor, and a [Client] speaks it to a server.
//
//	bytes ─► reader ─► methods ─► executor.Executor
//	bytes ◄─ outbox ◄─ session ◄── executor.Watcher
//
// A program that needs a queue starts a server and is its client:
//
//	client, err := rpc.Spawn(ctx, exec.Command("jobline", "serve"))
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	task, err := client.Submit(ctx, schema.SubmitParams{Type: "exec", Input: jsontext.Value(`{"argv":["make"]}`)})
//	if err != nil {
//		return err
//	}
//	final, err := client.WaitFor(ctx, task.ID)
//
// A program with a connection of another kind serves it with [Serve] or takes
// it with [Dial]; one that has a jsonrpc2.Conn mounts [Handler] on it. Package
// rpc/stdio is the whole life of a server on stdin and stdout.
package rpc
