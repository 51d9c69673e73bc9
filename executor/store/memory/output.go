package memory

import (
	"context"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// Output implements executor.Store.
func (s *Store) Output(_ context.Context, id uuid.UUID, stream schema.Stream, o executor.OutputRange) (executor.OutputPiece, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return executor.OutputPiece{}, executor.ErrClosed
	}
	e := s.records.get(id)
	if e == nil {
		return executor.OutputPiece{}, executor.ErrNotFound
	}
	var piece executor.OutputPiece
	if out := e.Value.out(); out != nil {
		piece = out[stream].Piece(o, s.options.MaxOutput)
	}
	piece.Final = e.Value.state.Final()
	return piece, nil
}
