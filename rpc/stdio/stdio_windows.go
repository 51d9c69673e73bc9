package stdio

import (
	"io"
	"os"
	"runtime/debug"
	"syscall"
	"time"
)

var endingSignals = []os.Signal{os.Interrupt}

func surviveSIGPIPE() {}

// descriptor is one of stdin and stdout.
type descriptor struct {
	io.ReadWriteCloser
	isPipe bool // it is a pipe: another program may be at its end
}

// takeStdio takes stdin and stdout. Children are given handles of their own.
func takeStdio() (*pipes, error) {
	info, err := os.Stdin.Stat()
	p := newPipes(descriptor{os.Stdin, err == nil && info.Mode()&os.ModeNamedPipe != 0}, descriptor{os.Stdout, false})
	os.Stdout = os.Stderr
	return p, nil
}

// whenReaderGone does nothing: on Windows a reader that is gone is noticed at
// the next write, and a parent that is gone by the end of stdin.
func whenReaderGone(*pipes, func()) {}
func whenParentGone(func())         {}

// awaitInputEnd does not wait: whether the other end of a pipe is closed is
// only told by a read.
func awaitInputEnd(*pipes, time.Duration) {}

// asItIs is nothing here: symbolic links take a privilege.
const asItIs = 0

// replaceOutput puts a file in the place of stdout and stderr. The runtime writes a
// panic there, too.
func replaceOutput(f *os.File) error {
	os.Stdout, os.Stderr = f, f
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// terminal is the console. It sends Ctrl-C to all of its processes, and nobody
// else sends it.
type terminal struct{}

func findTerminal() terminal               { return terminal{} }
func (terminal) sends(syscall.Signal) bool { return true }
