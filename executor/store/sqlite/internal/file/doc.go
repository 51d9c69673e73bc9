// Package file reads and writes what is in the SQLite file of a store: through its
// connections, its rows with their checksums, its versions, and its
// write-ahead log.
//
// It knows nothing of a store's life. Package sqlite opens a file to serve it,
// package inspect to read it. A [Conn] and what reads from it belong to one
// goroutine at a time; [Types] may be shared.
package file
