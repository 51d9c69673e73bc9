//go:build race

package cmd

// memoryFactor is how much more memory the race detector takes.
const memoryFactor = 6
