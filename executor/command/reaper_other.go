//go:build !linux

package command

// ReapOrphans does nothing: on this system no orphans are given to this process.
func ReapOrphans() (stop func()) { return func() {} }
