//go:build !race

package cmd

const memoryFactor = 1
