// Package schema is the protocol as data: the Go types of everything that
// crosses the wire, the JSON Schemas derived from them, validation against
// such schemas, and the OpenRPC document that describes the whole. It is a
// leaf: it imports no other package of this module, and nothing in it moves,
// waits or does input or output.
package schema
