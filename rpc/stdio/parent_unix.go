//go:build unix

package stdio

import (
	"os"
	"time"
)

// parentEvery is how often the parent is looked for where the system does not tell.
const parentEvery = 500 * time.Millisecond

func pollParent(parent int, f func()) {
	go func() {
		for range time.Tick(parentEvery) {
			if os.Getppid() != parent {
				f()
				return
			}
		}
	}()
}
