// Package nats is a Store that many processes share: its log is a stream of NATS JetStream.
//
// Each change is an entry of one stream. A process that starts reads the newest snapshot of the queue, which
// another stream has, and then all entries behind it. Each process applies the
// entries in their order to a copy in its memory, a memory.Replica. What becomes of a change, which
// task a claim gets included, is a function of the log alone, so the copies are equal, and groups,
// keys, needs and dedupe keys hold across processes as they do within one. The time of an entry is
// that of the server.
//
// A process writes its entries in numbered messages. A message counts only if it follows the one
// before it, so it may be sent again, and a process that the others have given up writes nothing
// more.
package nats
