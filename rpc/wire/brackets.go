package wire

import "cmp"

// bracketScanner looks for the end of a JSON object or array by its brackets alone, a
// piece at a time.
type bracketScanner struct {
	seen    int    // bytes looked at
	open    []byte // closing brackets of what is open, the innermost last
	str     bool   // within a string
	escaped bool   // after a backslash within a string
	broken  bool   // the brackets do not match, or are too deep
	most    int    // brackets that may be open at once; 0 is MaxNesting
}

// step continues with text, which is that of the last call with more bytes at its
// end. It answers the length of the value, or 0 where the end is not there yet, and
// where the brackets do not match or are nested too deeply.
func (s *bracketScanner) step(text []byte) int {
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
