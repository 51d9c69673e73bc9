// Package wire is what both ends of a connection share: how bytes become JSON-RPC
// messages, how errors look, and how messages are written.
//
// A [Reader] cuts a stream into messages in either [Framing], and survives input
// that is none. An [Outbox] gathers messages and writes them without making who
// adds them wait. Package rpc serves with them, package rpc/client asks.
package wire
