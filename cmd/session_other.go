//go:build !linux

package cmd

// sessionName is "" where when a session started cannot be read from a file.
func sessionName() string { return "" }
