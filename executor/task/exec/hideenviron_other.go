//go:build !linux

package exec

// hideEnviron does nothing: these systems do not show a process's environment
// as a file.
func hideEnviron() error { return nil }
