//go:build !linux

package disk

import (
	"errors"
	"io/fs"
)

// BegunDir is a directory in memory; "" is none.
const BegunDir = ""

// Begun notes which tasks have begun before their starts are recorded. There are no such
// notes on this system.
type Begun struct{}

// CreateBegun returns an error.
func CreateBegun(string, fs.FileInfo, int) (*Begun, error) { return nil, errors.ErrUnsupported }

// Name is "".
func (*Begun) Name() string { return "" }

// Note notes nothing.
func (*Begun) Note(int64, int64, int64) bool { return false }

// Forget does nothing.
func (*Begun) Forget(int64) {}

// Remove does nothing.
func (*Begun) Remove() error { return nil }

// ReadBegun finds nothing.
func ReadBegun(string, fs.FileInfo, string, int, int64) (begun map[int64]int64, found bool) {
	return nil, false
}

// RemoveBegun does nothing.
func RemoveBegun(string, fs.FileInfo) {}
