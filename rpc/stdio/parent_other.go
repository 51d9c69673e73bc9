//go:build unix && !linux

package stdio

import "os"

// whenParentGone calls f when the parent process has died.
func whenParentGone(f func()) {
	if parent := os.Getppid(); parent > 1 {
		pollParent(parent, f)
	}
}
