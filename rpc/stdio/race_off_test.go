//go:build !race

package stdio

// memoryFactor is of the race detector, which is off.
const memoryFactor = 1
