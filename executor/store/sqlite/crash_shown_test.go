package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// shown is all that a store shows of a task. Seq is of a final one.
type shown struct {
	record  executor.Record
	outputs [len(schema.StreamNames)]executor.OutputPiece
	seq     uint64
}

// everything is all tasks of a store, by way of List, Get, Output and Replay.
// That a task is listed twice, or is told otherwise in another way, is an error. It waits for the
// cancels that go on from before the store was opened.
func everything(ctx context.Context, s *Store) (map[uuid.UUID]*shown, error) {
	for s.hasDescents() {
		time.Sleep(time.Millisecond)
	}
	found := map[uuid.UUID]*shown{}
	for page := (executor.PageRequest{Oldest: true, Limit: 1000}); ; {
		p, err := s.List(ctx, executor.Filter{}, page)
		if err != nil {
			return nil, err
		}
		for i := range p.Tasks {
			t := &p.Tasks[i]
			if found[t.ID] != nil {
				return nil, fmt.Errorf("%s is listed twice", t.ID)
			}
			if found[t.ID], err = show(ctx, s, t.ID); err != nil {
				return nil, err
			}
			whole := found[t.ID].record.Task
			whole.Input = nil
			if asText(t) != asText(&whole) {
				return nil, fmt.Errorf("it is listed as %s and is %s", asText(t), asText(&whole))
			}
		}
		if page.Cursor = p.Next; p.Next == "" {
			return found, replayed(ctx, s, found)
		}
	}
}

// hasDescents reports whether cancels are on their way down.
func (s *Store) hasDescents() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.descents) > 0
}

func show(ctx context.Context, s *Store, id uuid.UUID) (*shown, error) {
	r, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	one := &shown{record: r}
	for i := range one.outputs {
		one.outputs[i], err = s.Output(ctx, id, schema.Stream(i), executor.OutputRange{Tail: -1, Limit: 1 << 20})
		if err != nil {
			return nil, err
		}
	}
	return one, nil
}

// replayed adds the numbers of the ends.
func replayed(ctx context.Context, s *Store, found map[uuid.UUID]*shown) error {
	for after := uint64(0); ; {
		events, err := s.Replay(ctx, after, math.MaxInt64, 1000)
		if err != nil || len(events) == 0 {
			return err
		}
		for i := range events {
			ev := &events[i]
			one := found[ev.ID]
			if one == nil || one.seq > 0 || asText(ev.Task) != asTold(&one.record.Task) {
				return fmt.Errorf("its end is replayed twice, or otherwise, or without it: %s", asText(ev.Task))
			}
			one.seq, after = ev.Seq, ev.Seq
		}
	}
}

// texts is what is shown as text, to compare. The time at which the recovery
// itself has ended a task is left out.
func texts(found map[uuid.UUID]*shown) map[uuid.UUID]string {
	all := map[uuid.UUID]string{}
	for id, one := range found {
		all[id] = one.String()
	}
	return all
}

func (s *shown) String() string {
	r := s.record
	if r.Error != nil && (r.Error.Kind == schema.KindInterrupted || r.State == schema.Cancelled) {
		r.FinishedAt = 0
		r.OutputBytes = nil // what was found of it
	}
	text := fmt.Sprintf("%s timeout %v grace %v rerun %v", asText(&r.Task), r.Timeout, r.Grace, r.Rerun)
	for _, o := range s.outputs {
		text += fmt.Sprintf(" %d-%d %q", o.Offset, o.Total, o.Data)
	}
	return text
}
