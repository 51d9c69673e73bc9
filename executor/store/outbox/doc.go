// Package outbox is a layer in front of the store of a namespace, for a machine that is offline at times. A
// submit of a client that cannot be recorded in the namespace waits in a file, is answered, and is sent when the
// namespace can be reached: in order, once, and with its id.
package outbox
