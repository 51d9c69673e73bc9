package sqlite

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/kit"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// Bounds of a page. A page that meets one is short and has a cursor.
const (
	// listScan is the most tasks that a page looks at.
	listScan = 1000
	// pageBytes is about the most bytes of results and errors in a page.
	pageBytes = 4 << 20
)

// List implements executor.Store.
func (s *Store) List(ctx context.Context, filter executor.Filter, page executor.PageRequest) (found executor.Page, err error) {
	cursor, err := kit.ParseCursor(&page)
	if err != nil {
		return found, err
	}
	if err := s.sweepExpired(ctx); err != nil {
		return found, err
	}
	err = s.readers.with(ctx, s, func(c *file.Conn) error {
		l := &listing{store: s, conn: c, filter: &filter, page: &page, cursor: int64(cursor)}
		if err := l.plan(); err != nil {
			return err
		}
		if err := l.run(&found); err != nil {
			return err
		}
		if found.Next == "" && l.edgeOfPage != 0 {
			found.Next = kit.FormatCursor(&page, uint64(l.edgeOfPage))
		}
		return l.together(&found)
	})
	return found, err
}

// listing is a page that is being read.
type listing struct {
	store  *Store
	conn   *file.Conn
	filter *executor.Filter
	page   *executor.PageRequest
	cursor int64
	first  int64 // the first task that may be selected
	last   int64 // the last one
	driver string
	args   []any // arguments of the driver from ?4 on, after the bounds and the count
	// numbers finds the task numbers for each part of the page, or is nil. They become the
	// first of args, as JSON.
	numbers func(want int64) ([]int64, error)
	types   []int64 // the selected types, if tasks are looked up by type
	spans   int     // the number of spans with the types to read for a part
	edge    int64   // the last task of those spans; 0 if no spans follow
	none    bool
	parts   int     // the number of parts read
	ords    []int64 // the numbers of the tasks found
	// edgeOfPage is the last task that a page looks at which selects by a part of an
	// id, or by conditions; 0 if that is the last one of all.
	edgeOfPage int64
}

// plan chooses which index the tasks are looked up in.
func (l *listing) plan() error {
	l.first, l.last = 0, 1<<62
	if err := l.bound(); err != nil {
		return err
	}
	const within = " AND ord>=?1 AND ord<=?2"
	var parts []string
	part := func(sql string, args ...any) {
		parts = append(parts, sql)
		l.args = append(l.args, args...)
	}
	f := l.filter
	switch {
	case f.Parent != uuid.Nil:
		l.numbers = l.children
		part("SELECT value AS ord FROM json_each(?4) WHERE value>=?1 AND value<=?2", "")
	case f.ID != "":
		sql, arg, err := l.byID()
		if err != nil {
			return err
		}
		part(sql+within, arg)
	case len(f.Labels) > 0:
		name, value := rarest(f.Labels)
		part("SELECT ord FROM label WHERE name=?4 AND value=?5"+within, name, value)
	case f.Group != "" || f.Key != "":
		sql, arg, err := l.byConditions()
		if err != nil {
			return err
		}
		part(sql+within, arg)
	case len(f.States) > 0 && !slices.Contains(f.States, schema.Completed):
		if slices.Contains(f.States, schema.Queued) || slices.Contains(f.States, schema.Running) {
			l.numbers = l.unfinished
			part("SELECT value AS ord FROM json_each(?4) WHERE value>=?1 AND value<=?2", "")
		}
		for _, bad := range []schema.State{schema.Failed, schema.Cancelled} {
			if slices.Contains(f.States, bad) {
				part(fmt.Sprintf("SELECT ord FROM done INDEXED BY done_bad WHERE state>2 AND state=%d"+within, bad))
			}
		}
	case len(f.Types) > 0:
		for _, name := range slices.Compact(slices.Sorted(slices.Values(f.Types))) {
			if n, ok := l.store.types.Number(name); ok {
				l.types = append(l.types, n)
			}
		}
		if len(l.types) > 0 {
			l.numbers = l.typed
			part(file.SelectOfSpans("?4", l.types)+" AND +ord>=?1 AND +ord<=?2", "")
		}
	default:
		until := int64(f.Until)
		if f.Until.IsZero() {
			until = 1 << 62
		}
		part("SELECT ord FROM task WHERE created>=?4 AND created<?5"+within, int64(f.Since), until)
	}
	l.none = len(parts) == 0
	l.driver = strings.Join(parts, " UNION ALL ")
	return nil
}

// unfinished are the numbers of the next tasks that are not final.
func (l *listing) unfinished(want int64) ([]int64, error) {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	return l.store.open.Between(l.first, l.last, !l.page.Oldest, int(want)), nil
}

// maxSpans is how many spans of tasks a part of a page looks at.
const maxSpans = 128

// typed finds the next spans that have tasks of the types. It takes as many as are needed if
// most tasks in them are of the types. It takes more if such spans are sparse, or if the
// spans before had too few tasks of the types.
func (l *listing) typed(want int64) ([]int64, error) {
	spans, err := file.SpansOf(l.conn, l.types, l.first, l.last, !l.page.Oldest, maxSpans)
	if err != nil || len(spans) == 0 {
		l.edge = 0
		return nil, err
	}
	l.spans = max(2*l.spans, file.Spans(want))
	if end := len(spans) - 1; max(spans[end]-spans[0], spans[0]-spans[end]) > 2*maxSpans {
		l.spans = max(l.spans, int(want))
	}
	l.edge = 0
	if l.spans = min(l.spans, maxSpans); len(spans) >= l.spans {
		spans = spans[:l.spans]
		first, last := file.BoundsOfSpan(spans[len(spans)-1])
		if l.edge = first; l.page.Oldest {
			l.edge = last
		}
	}
	return spans, nil
}

// advance moves the bounds past a task.
func (l *listing) advance(ord int64) {
	if l.page.Oldest {
		l.first = ord + 1
	} else {
		l.last = ord - 1
	}
}

// rarest is the selecting label that is taken for the rarest: the longest one.
func rarest(labels map[string]string) (name, value string) {
	for n, v := range labels {
		if len(n)+len(v) > len(name)+len(value) || len(n)+len(v) == len(name)+len(value) && n > name {
			name, value = n, v
		}
	}
	return name, value
}

// bound narrows the range of tasks by the cursor and the times.
func (l *listing) bound() error {
	l.advance(l.cursor)
	f := l.filter
	if f.Since.IsZero() && f.Until.IsZero() {
		return nil
	}
	l.store.mu.Lock()
	breaks := slices.Clone(l.store.breaks)
	l.store.mu.Unlock()
	first, last := int64(1<<62), int64(0)
	for i := 0; i <= len(breaks); i++ { // within each span the clock never goes back
		from, to := int64(1), int64(1<<62)
		if i > 0 {
			from = breaks[i-1]
		}
		if i < len(breaks) {
			to = breaks[i] - 1
		}
		a, err := l.search(from, to, int64(f.Since)-clockSlack)
		if err != nil {
			return err
		}
		b := to
		if !f.Until.IsZero() {
			if b, err = l.search(from, to, int64(f.Until)+clockSlack); err != nil {
				return err
			}
		}
		if a <= b {
			first, last = min(first, a), max(last, b)
		}
	}
	l.first, l.last = max(l.first, first), min(l.last, last)
	return nil
}

// search is the first place in a span whose task was created at the given time or
// later.
func (l *listing) search(from, to, created int64) (int64, error) {
	newest, err := l.conn.Number("SELECT max(ord) FROM task")
	if err != nil {
		return 0, err
	}
	to = min(to, newest+1)
	n := sort.Search(int(max(to-from, 0)), func(i int) bool {
		at, e := l.conn.Number("SELECT created FROM task WHERE ord>=? ORDER BY ord LIMIT 1", from+int64(i))
		if e != nil {
			err = e
		}
		return at >= created
	})
	return from + int64(n), err
}

func (l *listing) run(found *executor.Page) error {
	scanned, size := 0, 0
	for !l.none && l.first <= l.last {
		want := min(max(l.page.Limit-len(found.Tasks), 16), 256)
		before := l.cursor
		tasks, ords, err := l.fetch(int64(want))
		if err != nil {
			return err
		}
		for i := range tasks {
			if len(found.Tasks) == l.page.Limit || scanned == listScan || size > pageBytes {
				found.Next = kit.FormatCursor(l.page, uint64(l.cursor))
				return nil
			}
			scanned++
			if !l.beyond(ords[i]) { // the index is damaged, and has the task twice
				continue
			}
			l.cursor = ords[i]
			if t := &tasks[i]; t.ID != uuid.Nil && l.filter.Match(t) {
				found.Tasks, l.ords = append(found.Tasks, *t), append(l.ords, ords[i])
				size += len(t.Result)
			}
		}
		switch {
		case len(tasks) < want && l.edge > 0:
			l.advance(l.edge)
		case len(tasks) < want || l.cursor == before:
			return nil
		default:
			l.advance(l.cursor)
		}
	}
	return nil
}

// together shows the tasks of a page as they are at one moment, so that the page
// never has more running tasks than run at once. A page is read in parts, so a task
// may end meanwhile. It is left out if the filter does not select it any more.
func (l *listing) together(found *executor.Page) error {
	if l.parts < 2 {
		return nil
	}
	if err := l.store.showLive(l.conn, found.Tasks, l.ords); err != nil {
		return err
	}
	found.Tasks = slices.DeleteFunc(found.Tasks, func(t schema.Task) bool { return t.ID == uuid.Nil || !l.filter.Match(&t) })
	return nil
}

// beyond reports whether a task comes after the cursor.
func (l *listing) beyond(ord int64) bool {
	if l.page.Oldest {
		return ord > l.cursor
	}
	return ord < l.cursor
}

// fetch reads the next tasks, with their places. A task has no id if it is damaged, or if it
// was removed after its number was looked up. Its place still counts; otherwise the list
// would seem to end there.
func (l *listing) fetch(n int64) (tasks []schema.Task, ords []int64, err error) {
	l.parts++
	if l.numbers != nil {
		numbers, err := l.numbers(n)
		if err != nil {
			return nil, nil, err
		}
		text, err := json.Marshal(numbers)
		if err != nil {
			return nil, nil, err
		}
		l.args[0] = string(text)
	}
	err = l.conn.Query(l.sql(), func(row *sqlite3.Stmt) error {
		var task schema.Task
		ord := row.ColumnInt64(file.BehindDone)
		if row.ColumnType(0) != sqlite3.NULL {
			var err error
			if task, err = l.store.listed(l.conn, row); err != nil {
				l.store.log.Error("a task cannot be read", "number", ord, "error", err)
				task = schema.Task{}
			}
		}
		tasks, ords = append(tasks, task), append(ords, ord)
		return nil
	}, append([]any{l.first, l.last, n}, l.args...)...)
	if err == nil {
		err = l.store.showLive(l.conn, tasks, ords)
	}
	return tasks, ords, err
}

// sql is the query of a part of the list.
func (l *listing) sql() string {
	order := " DESC"
	if l.page.Oldest {
		order = ""
	}
	return "SELECT " + file.BareColumns + ", " + file.DoneColumns + ", d.ord FROM (" + l.driver + " ORDER BY ord" + order +
		" LIMIT ?3) AS d LEFT JOIN task ON task.ord=d.ord LEFT JOIN done ON done.ord=task.ord ORDER BY d.ord" + order
}

// listed reads a row of a list.
func (s *Store) listed(c *file.Conn, row *sqlite3.Stmt) (schema.Task, error) {
	r, _, err := file.ReadTask(c, s.types, row)
	if err == nil && row.ColumnType(file.DoneAt) != sqlite3.NULL {
		_, err = file.ReadDone(row, file.DoneAt, &r.Task)
	}
	r.Input = nil
	return r.Task, err
}

// showLive replaces tasks of the file that are not final by what is seen of them.
func (s *Store) showLive(c *file.Conn, tasks []schema.Task, ords []int64) error {
	var late []*schema.Task
	s.mu.Lock()
	for i := range tasks {
		t := &tasks[i]
		if r := s.live[t.ID]; r != nil {
			*t = s.seen(r)
			t.Input = nil
		} else if t.ID != uuid.Nil && !t.State.Final() && (s.open.Started(ords[i]) || !s.inBacklog(t, ords[i])) {
			late = append(late, t)
		}
	}
	s.mu.Unlock()
	for _, t := range late { // it ended after the file was read, or was tried before
		r, _, err := s.storedWith(c, t.ID)
		if err != nil {
			*t = schema.Task{} // and is no longer kept
			continue
		}
		*t = r.Task
		t.Input = nil
	}
	return nil
}
