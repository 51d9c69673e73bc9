//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package exec

import "golang.org/x/sys/unix"

// signalTree sends a signal to the process group. It does not find what has left
// that: these systems do not show environments.
func (t *tree) signalTree(signal unix.Signal) { t.signalGroup(signal) }
