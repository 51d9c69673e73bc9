package cmd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
)

// viewLook is how a part of a line looks. A colour is an index of 256, and as HTML has it.
type viewLook struct {
	Foreground       *uint16  `json:"fg,omitzero"`
	Background       *uint16  `json:"bg,omitzero"`
	ForegroundColour string   `json:"fgColour,omitzero"`
	BackgroundColour string   `json:"bgColour,omitzero"`
	Attributes       []string `json:"attributes"`
}

// mostLooks is how many looks a program is told of. Parts of lines with others have none.
const mostLooks = 1000

// viewedOutputs are the outputs that the program has open. It can be used by several goroutines.
type viewedOutputs struct {
	viewer *viewer
	wake   chan struct{}   // has room for one: there is something to tell
	looks  map[string]bool // that the program knows; of run alone

	mu      sync.Mutex
	byID    map[uuid.UUID]*viewedOutput
	order   []uuid.UUID // of byID, the one that was told longest ago first
	writers sync.WaitGroup
}

func newViewedOutputs(v *viewer) *viewedOutputs {
	return &viewedOutputs{viewer: v, wake: make(chan struct{}, 1), looks: map[string]bool{}, byID: map[uuid.UUID]*viewedOutput{}}
}

// open shows the output of a task from its tail on, also one that is open already.
func (s *viewedOutputs) open(ctx context.Context, id uuid.UUID, bounds viewBounds) error {
	s.close(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.byID) >= mostOpen {
		return fmt.Errorf("at most %d outputs can be open at once; close another", mostOpen)
	}
	o := &viewedOutput{viewer: s.viewer, id: id, bounds: bounds, room: make(chan struct{}, 1)}
	o.ctx, o.stop = context.WithCancel(ctx)
	o.next.Clear = true
	s.byID[id], s.order = o, append(s.order, id)
	s.writers.Go(o.follow)
	s.wakeUp()
	return nil
}

// close ends what shows the output of a task.
func (s *viewedOutputs) close(id uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.byID[id]; o != nil {
		o.stop()
		delete(s.byID, id)
	}
	for i := range s.order {
		if s.order[i] == id {
			s.order = append(s.order[:i:i], s.order[i+1:]...)
			return
		}
	}
}

// closeAll closes all, and waits for the end of what follows them.
func (s *viewedOutputs) closeAll() {
	s.mu.Lock()
	for _, o := range s.byID {
		o.stop()
	}
	s.mu.Unlock()
	s.writers.Wait()
}

// wakeUp has the program told what waits.
func (s *viewedOutputs) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run tells the program what comes, of each output in turn, until ctx ends.
func (s *viewedOutputs) run(ctx context.Context) error {
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for begun := time.Now(); ; begun = time.Now() {
			more, err := s.tellAll(ctx)
			if err != nil {
				return err
			}
			if !more {
				if !sleep(ctx, max(0, viewEvery-time.Since(begun))) {
					return context.Cause(ctx)
				}
				break
			}
		}
	}
}

// tellAll tells the program a part of each output that has something, and reports whether there
// is more.
func (s *viewedOutputs) tellAll(ctx context.Context) (more bool, err error) {
	s.mu.Lock()
	outputs := make([]*viewedOutput, 0, len(s.order))
	for _, id := range s.order {
		outputs = append(outputs, s.byID[id])
	}
	s.mu.Unlock()
	for _, o := range outputs {
		if o.ctx.Err() != nil {
			continue
		}
		told, looks, rest := o.take()
		if told == nil {
			continue
		}
		more = more || rest
		if err := s.tellLooks(told, looks); err != nil {
			return false, err
		}
		if err := s.viewer.lines.write(viewLine{Output: told}); err != nil {
			return false, err
		}
		if told.Ended != nil || told.Error != "" {
			s.forget(o)
		}
		if !sleep(ctx, outputPause) {
			return false, context.Cause(ctx)
		}
	}
	return more, nil
}

// forget closes an output of which all was told, unless it was opened anew.
func (s *viewedOutputs) forget(o *viewedOutput) {
	s.mu.Lock()
	same := s.byID[o.id] == o
	s.mu.Unlock()
	if same {
		s.close(o.id)
	}
}

// tellLooks tells the program of the looks that it does not know. Parts with a look beyond
// mostLooks lose it.
func (s *viewedOutputs) tellLooks(told *viewOutput, looks []show.Look) error {
	fresh, kept := map[string]viewLook{}, told.Spans[:0]
	for i, look := range looks {
		name := look.Name()
		if !s.looks[name] {
			if len(s.looks) >= mostLooks {
				continue
			}
			s.looks[name], fresh[name] = true, viewLookOf(look)
		}
		kept = append(kept, told.Spans[i])
	}
	told.Spans = kept
	if len(fresh) == 0 {
		return nil
	}
	return s.viewer.lines.write(viewLine{Looks: fresh})
}

func viewLookOf(look show.Look) viewLook {
	l := viewLook{Attributes: append([]string{}, look.Attributes()...)}
	if look.Foreground > 0 {
		l.Foreground, l.ForegroundColour = new(look.Foreground-1), show.Colour(look.Foreground-1)
	}
	if look.Background > 0 {
		l.Background, l.BackgroundColour = new(look.Background-1), show.Colour(look.Background-1)
	}
	return l
}
