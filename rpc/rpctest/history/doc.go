// Package history tests a server by the messages of its clients. It has three parts:
//
//   - Run drives a server with random requests on several connections, and
//     records every message that a client sends or receives, in one order.
//   - A History is such a record. Its text form is a transcript, so that one
//     can be written by hand.
//   - Check compares a History with the guarantees of docs/protocol.md, section 4,
//     and says which are broken, by which messages.
//
// The check knows nothing of the server: it uses only what a client can prove.
// A message that was received before another was sent came before it, also
// where the two are of different connections; and two messages that one
// connection received were written in that order.
package history
