//go:build !linux

package exec

import "os"

// source is our end of a pipe that a command writes to.
type source struct{ file *os.File }

// openSource makes a pipe and answers our end and the command's.
func openSource() (*source, *os.File, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	return &source{ours}, theirs, nil
}

// handOver is the file, which is to be read by one goroutine.
func (s *source) handOver() *os.File { return s.file }

func (s *source) close() { s.file.Close() }

// readiness is for systems on which the thread that waits for a command reads
// its pipes.
type readiness struct{}

func (*readiness) open([]pipe) {}

func (*readiness) close() {}
