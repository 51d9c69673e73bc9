package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// This file reads what is in the outbox and in the namespace together.

// Get implements executor.Store.
func (s *Store) Get(ctx context.Context, id uuid.UUID) (executor.Record, error) {
	s.mu.Lock()
	r, known := s.known(id)
	k := s.byID[id]
	uncertain := k != nil && k.uncertain()
	s.mu.Unlock()
	if known && !uncertain {
		return r, nil
	}
	in, err := s.behind()
	switch {
	case err != nil && known:
		return r, nil
	case err != nil:
		return r, err
	}
	sent, err := in.Get(ctx, id)
	if err != nil && known { // it was not sent, as far as is known
		return r, nil
	}
	if errors.Is(err, executor.ErrNotFound) {
		if r, damaged := s.damagedRecord(id); damaged {
			return r, nil
		}
	}
	return sent, err
}

// Counts implements executor.Store. What waits to be sent counts as queued.
func (s *Store) Counts(ctx context.Context) (counts executor.Counts, err error) {
	if in := s.namespace.Load(); in != nil {
		counts, err = (*in).Counts(ctx)
	}
	counts.Queued += int64(s.State().Waiting)
	return counts, err
}

// cursorMark begins a cursor of List that is of the outbox.
const cursorMark = "outbox:"

// List implements executor.Store. What is in the outbox comes before the newest tasks of the namespace, or behind
// them where the oldest come first. A task that is sent meanwhile may be missed, or come twice.
func (s *Store) List(ctx context.Context, filter executor.Filter, page executor.PageRequest) (executor.Page, error) {
	in, err := s.behind()
	if err != nil {
		return s.parts(&filter, err)
	}
	after, here := strings.CutPrefix(page.Cursor, cursorMark)
	if !here && (page.Oldest || page.Cursor != "") {
		found, err := in.List(ctx, filter, page)
		if state := s.State(); err == nil && page.Oldest && found.Next == "" && state.Waiting+state.Refused > 0 {
			found.Next = cursorMark
		}
		return found, err
	}
	from, err := parseNumber(after)
	if err != nil {
		return executor.Page{}, err
	}
	found, last := s.listed(ctx, in, &filter, page, from)
	switch {
	case last != 0:
		return executor.Page{Tasks: found, Next: cursorMark + strconv.FormatInt(last, 10)}, nil
	case page.Oldest:
		return executor.Page{Tasks: found}, nil
	}
	page.Cursor, page.Limit = "", page.Limit-len(found)
	if page.Limit <= 0 { // the entries have filled the page, and there are no more: the namespace comes next
		return executor.Page{Tasks: found, Next: cursorMark + "1"}, nil
	}
	rest, err := in.List(ctx, filter, page)
	rest.Tasks = append(found, rest.Tasks...)
	return rest, err
}

// parts is a list while the namespace is not known. Only the parts of a task that waits here are known, because
// they are here, too.
func (s *Store) parts(filter *executor.Filter, unknown error) (page executor.Page, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, here := s.known(filter.Parent); !here {
		return page, unknown
	}
	for _, k := range s.entries {
		if t := k.record(s.file.Path()).Task; filter.Match(&t) {
			t.Input = nil
			page.Tasks = append(page.Tasks, t)
		}
	}
	return page, nil
}

// parseNumber reads the number of the last entry that was answered; "" is 0, for none.
func parseNumber(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, &executor.InputError{Violations: []schema.Violation{{
			Pointer: "/cursor", Message: fmt.Sprintf("%q is no cursor; begin without one", schema.Cut(text)),
		}}}
	}
	return n, nil
}

// Entries implements executor.Outbox.
func (s *Store) Entries(cursor string, limit int) (found []schema.OutboxEntry, next string, err error) {
	found = []schema.OutboxEntry{}
	from, err := parseNumber(cursor)
	if err != nil {
		return found, "", err
	}
	s.mu.Lock()
	all := slices.Clone(s.damaged)
	for _, k := range s.entries {
		all = append(all, k.Entry)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(a.Number, b.Number) })
	for i := range all {
		e := &all[i]
		switch {
		case e.Number <= from:
			continue
		case len(found) == limit:
			return found, next, nil
		}
		labels := e.Record.Labels
		if labels == nil {
			labels = map[string]string{}
		}
		found = append(found, schema.OutboxEntry{
			ID: e.Record.ID, Type: e.Record.Type, Labels: labels, CreatedAt: e.Record.CreatedAt, Sending: e.uncertain() && !e.Damaged, Refused: e.Refused, Damaged: e.Damaged,
		})
		next = strconv.FormatInt(e.Number, 10)
	}
	return found, "", nil
}

// listed are the entries of a page, and the number of the last of them where more follow.
func (s *Store) listed(ctx context.Context, in Namespace, f *executor.Filter, page executor.PageRequest, from int64) (found []schema.Task, last int64) {
	s.mu.Lock()
	entries := make([]kept, len(s.entries))
	for i, k := range s.entries {
		entries[i] = *k
	}
	s.mu.Unlock()
	if !page.Oldest {
		slices.Reverse(entries)
	}
	for i := range entries {
		k := &entries[i]
		if from != 0 && (page.Oldest && k.Number <= from || !page.Oldest && k.Number >= from) {
			continue
		}
		r := k.record(s.file.Path())
		if !f.Match(&r.Task) {
			continue
		}
		if len(found) == page.Limit {
			return found, last
		}
		if k.Refused == "" {
			var err error
			if r, err = s.Get(ctx, k.Record.ID); err != nil || !waitsHere(&r.Task) {
				continue // it was sent, and the namespace lists it
			}
		}
		r.Input = nil
		found, last = append(found, r.Task), k.Number
	}
	return found, 0
}

// waitsHere reports whether a record is that of an entry.
func waitsHere(t *schema.Task) bool {
	return len(t.WaitingFor) > 0 && t.WaitingFor[0].Kind == schema.WaitsForOutbox
}

// Watch implements executor.Store.
func (s *Store) Watch(context.Context) (executor.Watcher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, executor.ErrClosed
	}
	return watcher{s.feed.Watch(), s}, nil
}

// watcher is a watcher of the feed, which has the events of the namespace and those of the outbox.
type watcher struct {
	executor.Watcher
	store *Store
}

// Subscribe implements executor.Watcher.
func (w watcher) Subscribe(ctx context.Context, selector executor.Selector) (executor.SubscriptionID, uint64, error) {
	err := w.store.change(func(in Namespace) error { return in.Settle(ctx) })
	if err != nil && !w.store.selectsHere(&selector) {
		return 0, 0, err
	}
	return w.Watcher.Subscribe(ctx, selector)
}

// selectsHere reports whether all that is selected waits here. Without a kind of events nothing is.
func (s *Store) selectsHere(selector *executor.Selector) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range selector.IDs {
		if _, here := s.known(id); !here {
			return false
		}
	}
	return len(selector.IDs) > 0 || selector.Events == 0
}

// Barrier implements executor.Watcher.
func (w watcher) Barrier(ctx context.Context) error {
	if in := w.store.namespace.Load(); in != nil {
		if err := (*in).Settle(ctx); err != nil {
			return err
		}
	}
	return w.Watcher.Barrier(ctx)
}
