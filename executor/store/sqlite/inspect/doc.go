// Package inspect reads the file of a store without opening the store: it checks,
// describes, exports and copies it, whether a server holds it or not. It changes
// no file.
package inspect
