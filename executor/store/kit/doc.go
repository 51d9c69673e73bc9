// Package kit has the parts that stores are built of: the queue with those who
// wait for it (Claims), the fan-out of events to watchers (Feed), bounded lists
// of waiting events (Held), the newest output of a task (Streams), and what is
// the same in every implementation of executor.Lease and of a list's cursor.
// The engine in package executor uses none of it.
package kit
