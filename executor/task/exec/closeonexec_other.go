//go:build unix && !linux

package exec

import "errors"

// closeAllOnExecFrom is for systems that can do it in one call.
func closeAllOnExecFrom(uint) error { return errors.ErrUnsupported }
