package memory

import (
	"strconv"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// A cursor is the order number of the last record that the pages before have
// looked at, behind a word for the direction, so that neither another text
// nor the cursor of another list is taken for one.

func direction(page executor.PageRequest) string {
	if page.Oldest {
		return "oldest-"
	}
	return "newest-"
}

func formatCursor(page executor.PageRequest, order uint64) string {
	return direction(page) + strconv.FormatUint(order, 10)
}

// parseCursor answers the order number to go on from.
func parseCursor(page executor.PageRequest) (uint64, error) {
	if page.Cursor == "" {
		if page.Oldest {
			return 0, nil
		}
		return 1 << 63, nil
	}
	number, ok := strings.CutPrefix(page.Cursor, direction(page))
	order, err := strconv.ParseUint(number, 10, 63)
	if !ok || err != nil {
		return 0, &executor.InputError{Violations: []schema.Violation{{
			Pointer: "/cursor", Message: "this is not a nextCursor that list has answered in this order",
		}}}
	}
	return order, nil
}
