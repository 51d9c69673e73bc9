//go:build race

package nats

// raced says that the race detector watches.
const raced = true
