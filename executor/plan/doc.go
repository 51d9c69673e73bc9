// Package plan decides which of the tasks that wait for something may run: for a time, for
// other tasks, for their turn in a group or of a key, or for resources. It is pure: it does
// no I/O, has no clock and no goroutine. A store feeds it under the store's lock, and tells
// it the time.
//
// A task passes these stages. It waits until the tasks that it comes after have ended, then
// until its time, then until it is the first of its key. Then it stands in a lane with the
// tasks of the same group, type and needs, until Peek finds it. Every operation is
// logarithmic in the number of tasks, and linear in the number of types, and in the number of
// a task's dependencies and needs.
//
// # Order
//
// Of the tasks that may run, the one of the highest priority is the next, and among equals
// the first submitted. A task that waits for resources is passed over by tasks that do not
// need them. A task behind it that needs one of the same resources waits too, so that a
// stream of small tasks starves no large one.
package plan
