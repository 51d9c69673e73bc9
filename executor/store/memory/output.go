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
	p, err := s.findKept(id)
	if err != nil {
		return executor.OutputPiece{}, err
	}
	var piece executor.OutputPiece
	if x := s.extra(p); x != nil && x.out != nil {
		piece = x.out[stream].Piece(o, s.options.MaxOutput)
	}
	piece.Final = p.entry == nil
	return piece, nil
}
