// Package wire reads and writes JSON-RPC messages. Both sides of a connection use
// it: the server, package rpc, and the client, package rpc/client.
//
// A [Reader] cuts a stream into messages in either [Framing], and goes on after
// input that is no message. An [Outbox] gathers messages and writes them in few
// system calls; adding a message never waits. An [Error] is the error of a response.
package wire
