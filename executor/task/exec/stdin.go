package exec

import "io"

// begin writes to stdin, at the latest until drain has returned. The output is read
// from waitExit on.
func (s *streams) begin() {
	if s.stdin != nil {
		go s.feed()
	}
}

// feed writes the text, and then what clients send. It is no error that the command
// does not read it: it may have ended, or closed its stdin.
func (s *streams) feed() {
	defer s.ended()
	to := s.terminal.typing(s.stdin)
	_, err := io.WriteString(to, s.text)
	if err == nil && s.more != nil {
		_, err = io.Copy(to, s.more)
	}
	if err == nil {
		s.terminal.endInput()
	}
	s.refuseInput()
	if s.terminal == nil { // a terminal is needed further
		s.stdin.Close()
	}
}

// refuseInput drops what clients have sent and is not written, and refuses more.
func (s *streams) refuseInput() {
	if s.more != nil {
		_ = s.more.Close() // it answers no error
	}
}

// closeStdin ends the input, also where it waits for the command to read.
func (s *streams) closeStdin() {
	s.refuseInput()
	if s.stdin != nil {
		s.stdin.Close()
	}
}
