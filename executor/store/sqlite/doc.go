// Package sqlite is a Store in one SQLite file: what was answered is on disk.
//
// Every change is an entry of one ordered log in memory. A single goroutine,
// the committer, takes what has gathered there, writes it in one transaction
// that is synced to the disk, makes it visible in the order of the log, and
// answers those who wait. So a thousand submits that come together cost one
// sync, and nobody sees what a restart would forget.
//
// Tasks that are not final are in memory, too; final ones are read from the
// file.
package sqlite
