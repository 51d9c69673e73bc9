// Package sqlite is a Store in one SQLite file. An answered change is on disk.
//
// Every change is an entry of one ordered log in memory. A single goroutine, the
// committer, takes the entries in the log and writes them in one transaction that
// is synced to the disk. It then makes them visible in the order of the log, and
// answers the callers. So a thousand concurrent submits cost one sync, and no
// client sees a change that a restart would lose.
//
// Tasks that are not final are also in memory. Final ones are read from the file.
package sqlite
