//go:build unix && !linux

package exec

import "errors"

// keepAllFrom is for systems that can do it in one call.
func keepAllFrom(uint) error { return errors.ErrUnsupported }
