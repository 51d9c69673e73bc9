package kit

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// A cursor of a list is the order number of the last record that the pages
// before have looked at, behind a word for the direction, so that neither
// another text nor the cursor of another list is taken for one.

func direction(p *executor.PageRequest) string {
	if p.Oldest {
		return "oldest-"
	}
	return "newest-"
}

// FormatCursor is the cursor of the page after a record. It is for stores whose records have rising order
// numbers.
func FormatCursor(p *executor.PageRequest, order uint64) string {
	return direction(p) + strconv.FormatUint(order, 10)
}

// ParseCursor answers the order number after which the page begins: with Oldest it lists greater numbers, and
// else smaller ones. Without a cursor it is the number before the first task. A bad cursor is an
// *executor.InputError.
func ParseCursor(p *executor.PageRequest) (uint64, error) {
	if p.Cursor == "" {
		if p.Oldest {
			return 0, nil
		}
		return math.MaxInt64, nil
	}
	number, ok := strings.CutPrefix(p.Cursor, direction(p))
	order, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil {
		return 0, &executor.InputError{Violations: []schema.Violation{{
			Pointer: "/cursor",
			Message: fmt.Sprintf("%q is not a nextCursor that list has answered in this order; give one, or leave it out", schema.Cut(p.Cursor)),
		}}}
	}
	return order, nil
}
