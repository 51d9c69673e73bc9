package sqlite

import "time"

// flushDue is the output that is to be written now.
func (s *Store) flushDue(closing bool) (found []piece) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.dirty) == 0 {
		return nil
	}
	if !closing && s.unwritten < flushBytes && time.Since(s.dirtySince.Time()) < flushAfter {
		return nil
	}
	left := int64(flushBytes)
	for _, r := range s.dirty {
		pieces, n := r.pieces(left, s.options.MaxOutput)
		found = append(found, pieces...)
		if left -= n; left <= 0 {
			break
		}
	}
	return found
}

// flush writes output in a transaction of its own, which is not synced: a
// power cut may take it, no answer waits for it.
func (s *Store) flush(closing bool) error {
	pieces := s.flushDue(closing)
	if len(pieces) == 0 {
		return nil
	}
	t, err := s.begins()
	if err == nil {
		err = s.relaxed(func() error {
			if err := t.writePieces(pieces); err != nil {
				return err
			}
			return t.commit()
		})
	}
	if err != nil {
		return s.failed(t, nil, err)
	}
	s.committer.state = t.state
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wroteAll(t.flushed)
	s.dirtySince = clock()
	return nil
}

// relaxed does something that need not be on the disk when it is done.
func (s *Store) relaxed(do func() error) error {
	c := &s.committer
	if err := c.conn.Exec("PRAGMA synchronous=NORMAL"); err != nil {
		return err
	}
	err := do()
	if err != nil && !c.conn.GetAutocommit() {
		_ = c.conn.exec("ROLLBACK")
	}
	if strict := c.conn.Exec("PRAGMA synchronous=" + s.options.synchronous); strict != nil {
		c.broken = true // it would not sync any more
		return strict
	}
	return err
}
