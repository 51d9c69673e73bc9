package sqlite

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// This file has the lists that select by the conditions of tasks.

// children are the numbers of the next children of a task.
func (l *listing) children(want int64) (numbers []int64, err error) {
	s, from := l.store, l.last+1
	if l.page.Oldest {
		from = l.first - 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trees.EachChild(l.filter.Parent, uint64(max(from, 0)), l.page.Oldest, func(_ uuid.UUID, order uint64) bool {
		within := int64(order) >= l.first && int64(order) <= l.last
		if within {
			numbers = append(numbers, int64(order))
		}
		return within && int64(len(numbers)) < want
	})
	return numbers, nil
}

// conditionScan is the most tasks with conditions that a page looks at which selects by these. No
// index helps to find them, and it only looks for a text.
const conditionScan = 20_000

// byConditions makes the query of the tasks that the filter selects by their key, or else their
// group. It may find others, too: the filter leaves them out.
func (l *listing) byConditions() (sql string, arg any, err error) {
	text, err := file.MemberText("key", l.filter.Key)
	if l.filter.Key == "" {
		text, err = file.MemberText("group", l.filter.Group)
	}
	if err != nil {
		return "", nil, err
	}
	l.boundByOpen()
	return "SELECT ord FROM condition WHERE instr(conditions,?4)>0", text, l.boundByConditions()
}

// boundByOpen narrows the range of tasks where the filter selects none that has ended.
func (l *listing) boundByOpen() {
	if len(l.filter.States) == 0 || slices.ContainsFunc(l.filter.States, schema.State.Final) {
		return
	}
	s := l.store
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest, newest := s.open.Between(l.first, l.last, false, 1), s.open.Between(l.first, l.last, true, 1)
	if len(oldest) == 0 {
		l.last = l.first - 1
		return
	}
	l.first, l.last = oldest[0], newest[0]
}

// boundByConditions narrows the range of tasks to the next conditionScan that have conditions.
func (l *listing) boundByConditions() (err error) {
	const ahead = "SELECT coalesce((SELECT ord FROM condition WHERE ord>=? AND ord<=? ORDER BY ord"
	if l.page.Oldest {
		if l.edgeOfPage, err = l.conn.Number(ahead+" LIMIT 1 OFFSET ?),0)", l.first, l.last, l.store.options.conditionScan); l.edgeOfPage > 0 {
			l.last = l.edgeOfPage
		}
		return err
	}
	if l.edgeOfPage, err = l.conn.Number(ahead+" DESC LIMIT 1 OFFSET ?),0)", l.first, l.last, l.store.options.conditionScan); l.edgeOfPage > 0 {
		l.first = l.edgeOfPage
	}
	return err
}
