//go:build race

package sqlite

// slower divides how much is done under the race detector, which may watch SQLite, too: it is Go
// code here.
const slower = 8
