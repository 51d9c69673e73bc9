package sqlite

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// fact is something that a store has said, or code that has run: it must hold
// after any crash that comes later.
type fact struct {
	what factKind
	id   uuid.UUID
	seq  uint64
	text string
}

type factKind string

const (
	factOpening factKind = "opening" // the program begins
	factHere    factKind = "here"    // the program has come to the place where it is to be killed
	factAcked   factKind = "acked"   // a submit was answered
	factRefused factKind = "refused" // a submit was answered with ErrStoreUnavailable, or as a duplicate
	factBegun   factKind = "begun"   // the code of an attempt began
	factAsked   factKind = "asked"   // a cancel was answered with OutcomeCancelling
	factFinal   factKind = "final"   // an end was said to be recorded; text is the state
	factEnded   factKind = "ended"   // the event of an end was seen; text is the task, as JSON
	factSeq     factKind = "seq"     // an event with this number was seen
	factTried   factKind = "tried"   // an attempt is about to end that another one follows
	factAgain   factKind = "again"   // such an end was said to be recorded
	factSet     factKind = "set"     // schedules were said to be recorded; seq is what they say
)

// String is the fact as a line, without its end.
func (f fact) String() string { return fmt.Sprintf("%s %s %d %s", f.what, f.id, f.seq, f.text) }

func parseFact(line string) (f fact, err error) {
	parts := strings.SplitN(line, " ", 4)
	if len(parts) < 4 {
		return f, fmt.Errorf("not a fact: %q", line)
	}
	f.what, f.text = factKind(parts[0]), parts[3]
	if f.id, err = uuid.Parse(parts[1]); err == nil {
		f.seq, err = strconv.ParseUint(parts[2], 10, 64)
	}
	return f, err
}
