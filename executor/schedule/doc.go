// Package schedule says when the tasks of a schedule are due. It is pure: it does no I/O but to
// read a time zone, starts no goroutine and reads no clock.
//
// A schedule is a cron expression, whose times are those that a clock on the wall shows in a time
// zone, or a number of milliseconds. Three rules say what becomes of a change of the clock on the
// wall, as to summer time:
//
//   - A time that the change skips is due as much later as the change is long: 02:30 is due at
//     03:30 where 02:00 is followed by 03:00. Two that are due at the same time are one.
//   - Of a time that there is twice the first is due.
//   - An expression for every hour is due both times.
//
// Milliseconds are counted without regard to the clock on the wall.
package schedule
