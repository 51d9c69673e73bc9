//go:build unix

package cmd

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// endingSignals are those that ask a program to end.
var endingSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// detach gives a process a group of its own.
func detach(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signalNumber is the number of a signal by its name, or 0.
func signalNumber(name string) int { return int(unix.SignalNum(name)) }
