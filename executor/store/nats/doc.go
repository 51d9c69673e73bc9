// Package nats is a Store that many processes share. Its log is a stream of NATS JetStream.
//
// Each change is an entry of one stream. A process that starts reads the newest snapshot of the queue, which is in another
// stream, and then all entries after it. Each process applies the entries in order to a copy in its memory, a
// memory.Replica. The result of a change, also which task a claim gets, is a function of the log alone. So the copies
// are equal, and groups, keys, needs and dedupe keys hold across processes as they do within one. The time of an entry
// is that of the NATS server.
//
// A process writes its entries in numbered messages. A message has an effect only if its number follows that of
// the message before it. So a message may be sent again safely, and a process that the others have fenced
// changes nothing more.
package nats
