//go:build unix

package cmd

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// watchWindow calls changed at once, and when the window of this process's terminal
// has another size, until ctx ends.
func watchWindow(ctx context.Context, changed func()) {
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, syscall.SIGWINCH)
	defer signal.Stop(changes)
	for {
		changed()
		select {
		case <-changes:
		case <-ctx.Done():
			return
		}
	}
}
