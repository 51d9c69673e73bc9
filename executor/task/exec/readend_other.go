//go:build !linux

package exec

import "os"

// readEnd is our end of a pipe that a command writes to.
type readEnd struct{ file *os.File }

// openReadEnd makes a pipe and returns our end and the command's.
func openReadEnd() (*readEnd, *os.File, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &readEnd{ours}, theirs, nil
}

// handOver returns the file, for one goroutine to read.
func (s *readEnd) handOver() *os.File { return s.file }

func (s *readEnd) close() { s.file.Close() }

// pipePoller is empty: on these systems goroutines read the pipes.
type pipePoller struct{}

func (*pipePoller) open([]pipe) {}

func (*pipePoller) close() {}
