// Package sqlitetest has what the tests of a store in SQLite share with the tests of what
// reads its file without opening the store. It knows a store only as executor.Store,
// so that the tests inside package sqlite can import it.
package sqlitetest
