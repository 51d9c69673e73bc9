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
	r := s.records.get(id)
	if r == nil {
		return executor.OutputPiece{}, executor.ErrNotFound
	}
	var piece executor.OutputPiece
	if r.out != nil {
		piece = r.out[stream].Piece(o, s.options.MaxOutput)
	}
	piece.Final = r.State.Final()
	return piece, nil
}
