//go:build !linux

package exec

// ReapOrphans does nothing: on this system no orphans are given to this process.
func ReapOrphans() (stop func()) { return func() {} }
