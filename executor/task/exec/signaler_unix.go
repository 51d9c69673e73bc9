//go:build unix

package exec

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// maxSignals bounds the signals that wait to be sent to one command.
const maxSignals = 64

// signaler sends signals to a tree, in the order in which clients ask for them. To
// find all processes takes a while, for which no client waits. The zero value is
// ready to use.
type signaler struct {
	mu      sync.Mutex // protects what follows
	waiting []unix.Signal
	sending chan struct{} // closed when none waits any more; nil where nothing is sent
	noStop  bool          // the task was told to stop for good
	over    bool          // the first process has exited
}

// requestSignal has a signal sent to all processes of the tree.
func (t *tree) requestSignal(name schema.Signal) error {
	s := &t.signaler
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over:
		return errCommandEnded
	case s.noStop && name == schema.SignalStop:
		return errEnding
	case len(s.waiting) == maxSignals:
		return &executor.FullError{What: "the signals that wait to be sent to the command", Limit: maxSignals, Cure: "send it again"}
	}
	s.waiting = append(s.waiting, unix.SignalNum("SIG"+string(name)))
	if s.sending == nil {
		s.sending = make(chan struct{})
		go t.sendSignals(s.sending)
	}
	return nil
}

// sendSignals sends the signals that wait. endSignals waits for it.
func (t *tree) sendSignals(done chan struct{}) {
	defer close(done)
	for {
		signal, ok := t.nextSignal()
		if !ok {
			return
		}
		t.signalTree(signal)
	}
}

func (s *signaler) nextSignal() (signal unix.Signal, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.sending = nil
		return 0, false
	}
	signal = s.waiting[0]
	s.waiting = s.waiting[1:]
	return signal, true
}

// endStops is called before the tree is asked to end. From then on no signal stops
// it, and none that was asked for before is on its way.
func (s *signaler) endStops() { s.end(&s.noStop) }

// endSignals is called when the first process has exited. When it returns, nothing
// is signalled any more.
func (s *signaler) endSignals() { s.end(&s.over) }

func (s *signaler) end(reached *bool) {
	s.mu.Lock()
	*reached = true
	s.waiting = nil
	sending := s.sending
	s.mu.Unlock()
	if sending != nil {
		<-sending
	}
}
