//go:build race

package stdio

// memoryFactor is how much more memory the race detector takes.
const memoryFactor = 6
