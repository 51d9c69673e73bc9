package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jobline/jobline/executor"
)

// This file notes when the file cannot be written, and tries it again.

// writePause and mostWritePause are how long it waits before it tries again whether the file can be written. A
// submit that is to wait there tries it at once. The pause is short again when the file could be written that long.
const writePause, mostWritePause = 250 * time.Millisecond, 4 * time.Second

// write writes to the file, behind what could not be written before. It needs writing.
func (s *Store) write(c Change) error {
	err := s.file.Write(s.owed.then(c))
	s.noteWrite(err)
	switch {
	case err == nil:
		s.owed = Change{}
		s.tellRefused()
		return nil
	case errors.Is(err, ErrNotWritten):
		return fmt.Errorf("%w: the outbox cannot be written: %w", executor.ErrStoreUnavailable, err)
	}
	return fmt.Errorf("%w: %w: the outbox cannot be written: %w", executor.ErrStoreUnavailable, executor.ErrOutcomeUnknown, err)
}

// writeLater writes what is so in memory already. Where that cannot be written now, it is when the file can be written
// again. It needs writing.
func (s *Store) writeLater(c Change) {
	if s.write(c) != nil {
		s.owed = s.owed.then(c)
	}
}

// noteWrite takes over what a write has shown of the file. It is logged when the file can be written no longer, and
// when it can be again.
func (s *Store) noteWrite(err error) {
	s.mu.Lock()
	before := s.fault
	s.fault = err
	s.mu.Unlock()
	switch {
	case before == nil && err != nil:
		s.log.Error("the outbox cannot be written; it is tried again", "outbox", s.file.Path(), "most pause", mostWritePause, "error", err)
		notify(s.attend)
	case before != nil && err == nil:
		s.log.Info("the outbox can be written again", "outbox", s.file.Path())
		notify(s.wake)
	}
}

// faultNow is why the file cannot be written, or nil.
func (s *Store) faultNow() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fault
}

// tend looks whether the file can be written, at the start and while it could not, until ctx ends.
func (s *Store) tend(ctx context.Context) {
	s.try()
	for pause := writePause; ; {
		var due <-chan time.Time
		faulty := s.faultNow() != nil
		switch {
		case faulty:
			due = time.After(pause)
		case pause > writePause:
			due = time.After(mostWritePause)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.attend:
			continue
		case <-due:
		}
		if !faulty {
			pause = writePause
			continue
		}
		s.try()
		pause = min(2*pause, mostWritePause)
	}
}

// try writes what could not be written before, or tries whether something could be.
func (s *Store) try() {
	s.writing.Lock()
	defer s.writing.Unlock()
	_ = s.write(Change{}) // noted
}

// withFault adds to what is known of the namespace what is wrong with the file. That it cannot be written is a fault where a submit
// needs it: because the namespace cannot be reached, or others wait.
func (s *Store) withFault(info executor.StoreInfo) executor.StoreInfo {
	add := func(to *string, text string) {
		if *to != "" {
			text += "; " + *to
		}
		*to = text
	}
	err, state := s.faultNow(), s.State()
	switch {
	case err == nil:
	case info.Fault != "" || state.Waiting > 0:
		add(&info.Fault, fmt.Sprintf("the outbox cannot be written: %v", err))
	default:
		add(&info.Warning, fmt.Sprintf("the outbox cannot be written: %v", err))
	}
	if state.Damaged > 0 {
		add(&info.Warning, fmt.Sprintf("in the outbox %s some submits are damaged, and are not sent (%d): submit them again, or cancel them there", state.File, state.Damaged))
	}
	return info
}

// notify puts a value into a channel that has room for one.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
