package wire

import "cmp"

// scan looks for the end of a JSON object or array by its brackets alone, a
// piece at a time.
type scan struct {
	seen    int    // bytes looked at
	open    []byte // the closing brackets that are due
	str     bool   // within a string
	escaped bool   // after a backslash within a string
	broken  bool   // a bracket closes what another has opened
	most    int    // brackets that may be open at once; 0 is MaxNesting
}

// step goes on with text, which begins as it did before and may be longer. It
// answers the length of the value, or 0 while its end is not there, or where
// its brackets do not match or are deeper than a message may be.
func (s *scan) step(text []byte) int {
	for ; s.seen < len(text) && !s.broken; s.seen++ {
		c := text[s.seen]
		switch {
		case s.escaped:
			s.escaped = false
		case s.str:
			s.escaped, s.str = c == '\\', c != '"'
		case c == '"':
			s.str = len(s.open) > 0
			s.broken = !s.str
		case c == '{' || c == '[':
			s.open = append(s.open, c+2) // '}' is '{'+2, ']' is '['+2
			s.broken = len(s.open) > cmp.Or(s.most, MaxNesting)
		case c == '}' || c == ']':
			last := len(s.open) - 1
			if s.broken = last < 0 || s.open[last] != c; s.broken {
				continue
			}
			if s.open = s.open[:last]; last == 0 {
				return s.seen + 1
			}
		default:
			s.broken = len(s.open) == 0 && s.seen == 0
		}
	}
	return 0
}
