//go:build unix

package exec

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// PassOnNoIgnoredSignal makes the system give new processes the default action for
// signals that this process ignores, as after nohup, or where a shell has started it in
// the background. A signal that is caught is reset by execve, an ignored one is not.
// This process goes on to do nothing about them.
func PassOnNoIgnoredSignal() {
	caught := make(chan os.Signal, 1) // nobody reads it
	for _, s := range []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM} {
		if signal.Ignored(s) {
			signal.Notify(caught, s)
		}
	}
}
