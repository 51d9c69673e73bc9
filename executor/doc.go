// Package executor is the queue and the life of tasks: it admits submissions
// into a Store, claims them from there in the order of the queue, runs each
// on one of a fixed number of workers, and records how it ended.
//
// Data flows one way:
//
//	Submit ─► Store ─► Claim ─► worker ─► task code ─► Lease ─► Store ─► Watcher
//
// A program defines its tasks with [Define], makes an [Executor] of them over
// a Store (package executor/store/memory has one), and lets it Run. What speaks the
// protocol (package rpc) stands on top and is not known here.
package executor
