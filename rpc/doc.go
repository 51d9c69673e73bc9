// Package rpc serves the protocol of docs/protocol.md on a connection, for an
// executor.
//
//	bytes ─► wire.Reader ─► methods ─► executor.Executor
//	bytes ◄─ wire.Outbox ◄─ session ◄── executor.Watcher
//
// A program with a connection of any kind serves it with [Serve]; one that has
// a jsonrpc2.Conn mounts [Handler] on it. Package rpc/stdio is the whole life of
// a server on stdin and stdout, and package rpc/client the other side.
package rpc
