//go:build unix && !linux

package exec

import "errors"

// closeAllOnExecFrom fails: these systems have no such call.
func closeAllOnExecFrom(uint) error { return errors.ErrUnsupported }
