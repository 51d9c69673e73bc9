package stdio

import (
	"io"
	"os"
)

var endingSignals = []os.Signal{os.Interrupt}

func keepFromDyingOfSIGPIPE() {}

// takeOver takes stdin and stdout. Children are given handles of their own.
func takeOver() (io.ReadWriteCloser, error) {
	p := &pipes{in: os.Stdin, out: os.Stdout}
	os.Stdout = os.Stderr
	return p, nil
}

// On Windows a reader that is gone is noticed at the next write, and a parent
// that is gone by the end of stdin.
func whenReaderGone(io.ReadWriteCloser, func()) {}
func whenParentGone(func())                     {}
