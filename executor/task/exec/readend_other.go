//go:build !linux

package exec

import "os"

// source is our end of a pipe that a command writes to.
type readEnd struct{ file *os.File }

// openReadEnd makes a pipe and answers our end and the command's.
func openReadEnd() (*readEnd, *os.File, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &readEnd{ours}, theirs, nil
}

// handOver is the file, which is to be read by one goroutine.
func (s *readEnd) handOver() *os.File { return s.file }

func (s *readEnd) close() { s.file.Close() }

// pipePoller is for systems on which the thread that waits for a command reads
// its pipes.
type pipePoller struct{}

func (*pipePoller) open([]pipe) {}

func (*pipePoller) close() {}
