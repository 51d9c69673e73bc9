package cmd

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// viewRows says what has changed of the rows of a list.
type viewRows struct {
	Set   []viewRow   `json:"set"`
	Gone  []uuid.UUID `json:"gone"`
	Whole bool        `json:"whole,omitzero"` // there are no others
	Asked bool        `json:"asked,omitzero"` // the program has asked for them, by a list
}

// viewRow is a task in words.
type viewRow struct {
	ID      uuid.UUID    `json:"id"`
	Short   string       `json:"short"`
	Type    string       `json:"type"`
	Title   string       `json:"title"`  // what it does: a command, or the type and its input
	State   schema.State `json:"state"`  // queued to cancelled
	Status  string       `json:"status"` // the state with how far it is, or why it failed
	Waits   string       `json:"waits,omitzero"`
	Time    string       `json:"time,omitzero"` // that it has run, or waited where it has not begun
	Created int64        `json:"created"`       // in seconds of Unix
	Percent *int         `json:"percent,omitzero"`
	Message string       `json:"message,omitzero"` // how far it is, in words
	Mine    bool         `json:"mine,omitzero"`
	Owner   string       `json:"owner,omitzero"`
	Dir     string       `json:"dir,omitzero"`   // in which the command runs
	Error   string       `json:"error,omitzero"` // why it failed or was cancelled
	// ExitCode is of a command that has failed.
	ExitCode *int `json:"exitCode,omitzero"`
}

// viewAway says how tasks have ended while the program was not connected.
type viewAway struct {
	Text   string         `json:"text"`
	Counts map[string]int `json:"counts"`
}

// viewedTasks are the tasks of which a program was told on one connection. Noted can be called while
// another goroutine looks.
type viewedTasks struct {
	viewer *viewer
	looked bool
	inputs map[uuid.UUID]jsontext.Value
	own    map[uuid.UUID]schema.Task // those of the program that were not among the newest nor ran, and had not ended

	mu      sync.Mutex
	changed map[uuid.UUID]bool // an event has told of them, or of all where events were lost
	lost    bool
}

// noted has a task asked for again of which an event tells.
func (k *viewedTasks) noted(ev client.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost = k.lost || ev.Lost != nil
	if id := ev.TaskID(); id != uuid.Nil && k.viewer.mine.has(id) {
		if k.changed == nil {
			k.changed = map[uuid.UUID]bool{}
		}
		k.changed[id] = true
	}
}

// forget forgets the own tasks of which an event has told.
func (k *viewedTasks) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.own == nil || k.lost {
		k.own = map[uuid.UUID]schema.Task{}
	}
	for id := range k.changed {
		delete(k.own, id)
	}
	k.changed, k.lost = nil, false
}

// look asks for the tasks, and tells the program what has changed.
func (k *viewedTasks) look(ctx context.Context, c *client.Client) error {
	v := k.viewer
	asked := v.asked.Swap(false)
	tasks, err := k.tasks(ctx, c)
	if err != nil {
		return err
	}
	if k.inputs == nil {
		k.inputs = map[uuid.UUID]jsontext.Value{}
	}
	if err := rememberInputs(ctx, c, tasks, k.inputs); err != nil {
		return err
	}
	now, rows := time.Now(), make([]viewRow, len(tasks))
	for i := range tasks {
		rows[i] = viewRowOf(&tasks[i], now, v.ticks.Load())
		rows[i].Mine = v.mine.has(tasks[i].ID)
	}
	if err := v.tell(rows, asked); err != nil {
		return err
	}
	err = v.tellEnds(rows, !k.looked)
	k.looked = true
	return err
}

// tasks are the newest tasks, those that run, and of those that the program has submitted the ones
// that have ended since, and the newest that have not.
func (k *viewedTasks) tasks(ctx context.Context, c *client.Client) ([]schema.Task, error) {
	k.forget() // before the server is asked: an event that comes now is for the next look
	limit := k.viewer.options.limit
	var tasks []schema.Task
	known := map[uuid.UUID]bool{}
	for _, states := range [][]schema.State{nil, {schema.Running}} {
		found, err := collect(listed(ctx, c, schema.ListParams{States: states, Limit: min(pageOfTasks, limit)}), limit)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if !known[found[i].ID] {
				known[found[i].ID] = true
				tasks = append(tasks, found[i])
			}
		}
	}
	own := k.viewer.mine.ids()
	left := limit // of those that have not ended
	for _, id := range slices.Backward(own) {
		if known[id] {
			delete(k.own, id)
			continue
		}
		t, err := k.task(ctx, c, id)
		switch {
		case isNotFound(err):
			k.viewer.mine.remove(id)
		case err != nil:
			return nil, err
		case t.State.Final():
			tasks = append(tasks, t)
		case left > 0:
			tasks = append(tasks, t)
			left--
		}
	}
	return tasks, nil
}

// task is an own task that is not listed. The server is asked again where an event has told of it.
func (k *viewedTasks) task(ctx context.Context, c *client.Client, id uuid.UUID) (schema.Task, error) {
	t, known := k.own[id]
	if known {
		return t, nil
	}
	t, err := c.Status(ctx, schema.StatusParams{ID: id})
	if err == nil && !t.State.Final() {
		k.own[id] = t
	}
	return t, err
}

// tell tells the program which rows have changed, and which are gone, if any or where it has asked.
func (v *viewer) tell(rows []viewRow, asked bool) error {
	changes := viewRows{Set: []viewRow{}, Gone: []uuid.UUID{}, Whole: v.told == nil, Asked: asked}
	now := make(map[uuid.UUID]string, len(rows))
	for i := range rows {
		text := string(wire.AppendJSON(nil, rows[i]))
		now[rows[i].ID] = text
		if v.told[rows[i].ID] != text {
			changes.Set = append(changes.Set, rows[i])
		}
	}
	for id := range v.told {
		if _, still := now[id]; !still {
			changes.Gone = append(changes.Gone, id)
		}
	}
	v.told = now
	if len(changes.Set)+len(changes.Gone) == 0 && !changes.Whole && !asked {
		return nil
	}
	return v.lines.write(viewLine{Rows: &changes})
}

// tellEnds tells the program which of its own tasks have ended. Those that it had left, or that
// ended while there was no connection, are only counted.
func (v *viewer) tellEnds(rows []viewRow, first bool) error {
	counts := map[string]int{}
	for i := range rows {
		if !rows[i].Mine || !rows[i].State.Final() {
			continue
		}
		if v.mine.remove(rows[i].ID) && first {
			counts[rows[i].State.String()]++
		} else if err := v.lines.write(viewLine{Ended: &rows[i]}); err != nil {
			return err
		}
	}
	if len(counts) == 0 {
		return nil
	}
	return v.lines.write(viewLine{Away: &viewAway{show.Counts(counts), counts}})
}

// viewRowOf is the row of a task. With ticks it has the time of a task that has not ended.
func viewRowOf(t *schema.Task, now time.Time, ticks bool) viewRow {
	r := viewRow{
		ID: t.ID, Short: show.ShortID(t.ID), Type: show.Line(t.Type), Title: viewTitle(t), State: t.State, Status: show.Line(show.State(t)),
		Waits: show.Line(show.Waiting(t, now)), Created: t.CreatedAt.Time().Unix(), Owner: show.Line(t.Labels[show.OwnerLabel]),
		Dir: show.CommandOf(t).Dir,
	}
	switch {
	case t.State.Final() || ticks && !t.StartedAt.IsZero():
		r.Time = show.Ran(t, now)
	case ticks:
		r.Time = show.Span(now.Sub(t.CreatedAt.Time()))
	}
	if p := t.Progress; p != nil && t.State == schema.Running {
		if share, known := show.Share(*p); known {
			r.Percent = new(int(math.Floor(share * 100)))
		}
		r.Message = show.Line(progressWords(p))
	}
	if t.Error != nil {
		r.Error, r.ExitCode = show.Line(show.ErrorText(t)), t.Error.ExitCode
	}
	return r
}

// progressWords is how far a task is, as "3/10 files linking".
func progressWords(p *schema.Progress) string {
	words := fmt.Sprintf("%g", p.Value)
	if p.Total > 0 {
		words += fmt.Sprintf("/%g", p.Total)
	}
	return words + " " + p.Unit + " " + p.Message
}

// mostTitle bounds what a row says of a task, in bytes.
const mostTitle = 1024

// viewTitle is what a task does. The command line of a shell says more than the shell.
func viewTitle(t *schema.Task) string {
	title := t.Type + " " + show.Work(t)
	switch argv := show.CommandOf(t).Argv; {
	case len(argv) == 3 && strings.HasPrefix(argv[1], "-") && strings.HasSuffix(argv[1], "c"):
		title = argv[2]
	case len(argv) > 0:
		title = show.Command(argv)
	}
	return show.Line(strings.ToValidUTF8(title[:min(len(title), mostTitle)], ""))
}

// endLine tells how a task has ended, in the last line of its output.
func endLine(r *viewRow) string {
	line := r.Status
	if r.Time != "" {
		line += " after " + r.Time
	}
	if r.Error != "" && r.Error != string(r.State.String()) {
		line += ": " + r.Error
	}
	return "[" + line + "]"
}
