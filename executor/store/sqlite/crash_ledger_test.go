package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/google/uuid"
	"github.com/ncruces/go-sqlite3"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite/internal/file"
	"github.com/jobline/jobline/schema"
)

// ledger is what a store must still know: the facts.
type ledger struct {
	mu                   sync.Mutex
	acked, refused, asks map[uuid.UUID]bool
	begun, tried, again  map[uuid.UUID]int
	set                  uint64               // what the schedules said at last
	final                map[uuid.UUID]string // by state
	ended                map[uuid.UUID]fact
	seq                  uint64
	facts                int
	heard                func(n int) // of every fact, if set
}

func newLedger() *ledger {
	return &ledger{
		acked: map[uuid.UUID]bool{}, refused: map[uuid.UUID]bool{}, asks: map[uuid.UUID]bool{},
		begun: map[uuid.UUID]int{}, tried: map[uuid.UUID]int{}, again: map[uuid.UUID]int{}, final: map[uuid.UUID]string{}, ended: map[uuid.UUID]fact{},
	}
}

func (g *ledger) note(f fact) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f.what != factSet {
		g.seq = max(g.seq, f.seq)
	}
	switch f.what {
	case factAcked:
		g.acked[f.id] = true
	case factRefused:
		g.refused[f.id] = true
	case factBegun:
		g.begun[f.id]++
	case factTried:
		g.tried[f.id]++
	case factAgain:
		g.again[f.id]++
	case factSet:
		g.set = max(g.set, f.seq)
	case factAsked:
		g.asks[f.id] = true
	case factFinal:
		g.final[f.id] = f.text
	case factEnded:
		g.ended[f.id] = f
	}
	g.facts++
	if g.heard != nil {
		g.heard(g.facts)
	}
}

// check says what a store that was opened after a crash does not know as it
// should. Nothing may run in the store.
func (g *ledger) check(ctx context.Context, s *Store) (wrong []string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := s.SetSchedules(ctx); err != nil { // behind what the store has to do by itself
		return nil, err
	}
	found, err := everything(ctx, s)
	if err != nil {
		return nil, err
	}
	say := func(id uuid.UUID, format string, args ...any) {
		wrong = append(wrong, id.String()+": "+fmt.Sprintf(format, args...))
	}
	for id := range g.acked {
		if found[id] == nil {
			say(id, "it was acknowledged and is lost")
		}
	}
	for id := range g.refused {
		if found[id] != nil {
			say(id, "it was refused and is there, %s", found[id].record.State)
		}
	}
	for id, n := range g.begun {
		if n > 1+g.tried[id] && !mayRerun(id) {
			say(id, "it ran %d times, and %d ends were to be followed", n, g.tried[id])
		}
	}
	for id := range g.final {
		if found[id] == nil {
			say(id, "its end was acknowledged and it is lost")
		}
	}
	for id, shown := range found {
		if text := g.differs(id, shown); text != "" {
			say(id, "%s", text)
		}
	}
	wrong = append(append(wrong, duplicates(found)...), left(found)...)
	if said, err := pairOf(ctx, s); err != nil || said < g.set {
		wrong = append(wrong, fmt.Sprintf("schedules that said %d now say %d: %v", g.set, said, err))
	}
	if now := s.feed.Seq(); now < g.seq {
		wrong = append(wrong, fmt.Sprintf("event number %d was seen, and the next will be after %d", g.seq, now))
	}
	text, err := inconsistency(ctx, s, found)
	if text != "" {
		wrong = append(wrong, text)
	}
	return wrong, err
}

// left says which tasks have not ended although one above them was cancelled.
func left(found map[uuid.UUID]*shown) (wrong []string) {
	for id, one := range found {
		for above := one; above != nil && !one.record.State.Final(); above = found[executor.ParentOf(above.record.Conditions)] {
			if above != one && !above.record.CancelRequestedAt.IsZero() {
				wrong = append(wrong, fmt.Sprintf("%v is %s, and %v above it was cancelled", id, one.record.State, above.record.ID))
			}
		}
	}
	return wrong
}

// duplicates says of which dedupe keys there is more than one task that has not ended, and of which keys
// with a window more than one has completed.
func duplicates(found map[uuid.UUID]*shown) (wrong []string) {
	open, completed := map[string]uuid.UUID{}, map[string]uuid.UUID{}
	for id, shown := range found {
		c := shown.record.Conditions
		if c == nil || c.Dedupe == nil {
			continue
		}
		if shown.record.State == schema.Completed && c.Dedupe.WindowMs > 0 {
			if other, found := completed[c.Dedupe.Key]; found {
				wrong = append(wrong, fmt.Sprintf("%v and %v of the dedupe key %q have completed within its window", other, id, c.Dedupe.Key))
			}
			completed[c.Dedupe.Key] = id
		}
		if shown.record.State.Final() {
			continue
		}
		if other, found := open[c.Dedupe.Key]; found {
			wrong = append(wrong, fmt.Sprintf("%v and %v of the dedupe key %q have not ended", other, id, c.Dedupe.Key))
		}
		open[c.Dedupe.Key] = id
	}
	return wrong
}

// attemptsDiffer compares what is kept of the attempts that have failed.
func (g *ledger) attemptsDiffer(r *executor.Record) string {
	kept := 0
	if r.History != nil {
		for _, a := range r.History.Attempts {
			if a.Error.Kind == schema.KindTaskError {
				kept++
			}
			if text := a.Error.Message; a.Error.Kind == schema.KindTaskError && text != r.ID.String() {
				return fmt.Sprintf("an attempt has failed as %q", text)
			}
		}
	}
	if kept < g.again[r.ID] || kept > g.tried[r.ID] {
		return fmt.Sprintf("%d of its attempts are kept, of %d that have failed, of which %d are recorded", kept, g.tried[r.ID], g.again[r.ID])
	}
	return ""
}

// differs says what is not as it should be of a task that is there, or "".
func (g *ledger) differs(id uuid.UUID, shown *shown) string {
	r := &shown.record
	if text := cmp.Or(unlike(r), g.attemptsDiffer(r)); text != "" {
		return text
	}
	if text := conditionsDiffer(r); text != "" && g.set > 0 { // of a load
		return text
	}
	if final, ok := g.final[id]; ok && r.State.String() != final {
		return fmt.Sprintf("its end was %s, and it is %s", final, r.State)
	}
	if ended, ok := g.ended[id]; ok && (asTold(&r.Task) != ended.text || shown.seq != ended.seq) {
		return fmt.Sprintf("its end was seen as number %d, %s, and is number %d, %s", ended.seq, ended.text, shown.seq, asTold(&r.Task))
	}
	interrupted := r.Error != nil && r.Error.Kind == schema.KindInterrupted
	switch {
	case r.State == schema.Running:
		return "it is running after a start"
	case r.State == schema.Queued && g.begun[id] > g.tried[id] && !mayRerun(id):
		return "it began, must not run again, and is queued"
	case g.asks[id] && (!r.State.Final() || interrupted):
		return fmt.Sprintf("its cancel was acknowledged while it ran, and it is %s", r.State)
	case interrupted && mayRerun(id):
		return "it may run again and was ended as interrupted"
	}
	return shown.outputDiffers(id)
}

// outputDiffers compares the output. Of a task whose end is not known some may be
// missing, but nothing may be other than it was.
func (s *shown) outputDiffers(id uuid.UUID) string {
	want, got := outputOf(id), s.outputs[schema.Stdout]
	if !writtenBy(int(s.record.Attempt), want, got.Data, int(got.Offset)) {
		return fmt.Sprintf("its output from %d is %.200q", got.Offset, got.Data)
	}
	hasRun := s.record.State == schema.Completed || s.record.State == schema.Failed && s.record.Error.Kind != schema.KindInterrupted
	if hasRun && len(got.Data) < len(want) {
		return fmt.Sprintf("its output was %d bytes and is %d", len(want), len(got.Data))
	}
	return ""
}

// writtenBy reports whether so many attempts, of which each writes this and may
// be killed meanwhile, can have left the data, which begins at an offset.
func writtenBy(attempts int, want, data []byte, offset int) bool {
	if end := offset + len(data); end <= len(want) && bytes.Equal(data, want[offset:end]) {
		return true
	}
	if attempts < 2 || len(want) == 0 {
		return false
	}
	at := map[int]bool{} // how far the attempt that wrote the bytes so far may have come
	if offset == 0 {
		at[0] = true
	} else {
		for i := range len(want) + 1 {
			at[i] = true
		}
	}
	for _, b := range data {
		next := map[int]bool{}
		for i := range at {
			if i < len(want) && want[i] == b {
				next[i+1] = true
			}
		}
		if want[0] == b { // of the next attempt
			next[1] = true
		}
		at = next
	}
	return len(at) > 0
}

// inconsistency says where the file disagrees with itself, or "".
func inconsistency(ctx context.Context, s *Store, found map[uuid.UUID]*shown) (string, error) {
	var want executor.Counts
	var bytes int64
	for _, shown := range found {
		switch shown.record.State {
		case schema.Queued:
			want.Queued++
		case schema.Completed:
			want.Completed++
		case schema.Failed:
			want.Failed++
		case schema.Cancelled:
			want.Cancelled++
		}
	}
	counts, err := s.Counts(ctx)
	if err != nil {
		return "", err
	}
	if counts.TaskCounts != want.TaskCounts {
		return fmt.Sprintf("the counts are %+v, and there are %+v", counts.TaskCounts, want.TaskCounts), nil
	}
	c, err := file.DialReader(s.path, s.options.VFS)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	st, err := file.ReadState(c)
	if err != nil {
		return "", err
	}
	if bytes, err = c.Number("SELECT coalesce(sum(bytes),0) FROM done"); err != nil {
		return "", err
	}
	noted, ended, err := openings(c)
	if err != nil {
		return "", err
	}
	sound, err := c.Text("PRAGMA integrity_check(1)")
	if bytes != st.Bytes || int64(len(noted)) != st.Active || !maps.Equal(noted, ended) || sound != "ok" {
		return fmt.Sprintf("%d bytes and the table store says %d; not final by its bits, and whether they were started: %v; by the rows: %v; it counts %d; integrity: %s",
			bytes, st.Bytes, noted, ended, st.Active, sound), nil
	}
	return "", err
}

// openings are the tasks that are not final, with whether they were started: as the table
// store notes them, and by the rows of the other tables.
func openings(c *file.Conn) (noted, byRows map[int64]bool, err error) {
	noted, byRows = map[int64]bool{}, map[int64]bool{}
	err = file.EachOpenSpan(c, func(s *file.OpenSpan, err error) error {
		if err != nil {
			return err
		}
		return s.Each(func(ord int64) error { noted[ord] = s.Started(ord); return nil })
	})
	if err != nil {
		return nil, nil, err
	}
	const sql = "SELECT ord, active.ord IS NOT NULL FROM task LEFT JOIN done USING(ord) LEFT JOIN active USING(ord) WHERE done.ord IS NULL" +
		" UNION SELECT ord, true FROM active"
	err = c.Query(sql, func(row *sqlite3.Stmt) error {
		byRows[row.ColumnInt64(0)] = row.ColumnInt64(1) == 1
		return nil
	})
	return noted, byRows, err
}
