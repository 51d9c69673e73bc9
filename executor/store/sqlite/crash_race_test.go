//go:build race

package sqlite

// slower divides how much is done where the race detector watches SQLite, which
// is Go code here.
const slower = 8
