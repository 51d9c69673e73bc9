//go:build race

package rpc_test

const raceEnabled = true

// fewer divides rounds and bytes where the race detector watches: the bounds of many are measured without it.
const fewer = 8
