// Package client speaks the protocol of docs/protocol.md to a server.
//
// A program that needs a queue starts a server and is its client:
//
//	c, err := client.Spawn(ctx, exec.Command("jobline", "serve"))
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	task, err := c.Submit(ctx, schema.SubmitParams{Type: "exec", Input: jsontext.Value(`{"argv":["make"]}`)})
//	if err != nil {
//		return err
//	}
//	final, err := c.WaitFor(ctx, task.ID)
//
// One that has a connection to a server makes a client of it with [New].
package client
