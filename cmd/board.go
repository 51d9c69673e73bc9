package cmd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

const (
	// boardPause is how often the bars are drawn.
	boardPause = 100 * time.Millisecond
	// mostBars is how many running tasks have a bar, where the terminal is high
	// enough.
	mostBars = 10
	// taskBarCells is the width of the bar of one task of several.
	taskBarCells = 12
	// mostFailures is how many failed tasks are told of, each in a line, and how many failed
	// attempts that others follow; the rest is counted.
	mostFailures = 20
	// mostTitles bounds the tasks of which a board remembers what they do.
	mostTitles = 10_000
)

// board shows at the bottom of a terminal how many tasks are on their way: a bar for
// each that runs, as far as there is room, and a line for all of them. Where there is
// no terminal it shows failures alone. It may be used from many goroutines.
type board struct {
	program string
	out     terminal
	err     io.Writer // for text, made safe where it goes to a terminal

	mu        sync.Mutex
	bottom    block
	began     time.Time
	titles    map[uuid.UUID]string // what tasks do
	running   map[uuid.UUID]*runningTask
	total     int // tasks that are waited for
	submitted int // of a list of lines that goes on; else 0
	ended     int
	failed    int
	notRun    int // tasks that did not run because of one of those
	retried   int // attempts that have failed, and that others follow
}

type runningTask struct {
	id       uuid.UUID
	started  time.Time
	progress *schema.Progress
}

func newBoard(program string) *board {
	return &board{
		program: program, out: terminalOf(os.Stderr), err: safe(os.Stderr), bottom: block{to: os.Stderr}, began: time.Now(),
		titles: map[uuid.UUID]string{}, running: map[uuid.UUID]*runningTask{},
	}
}

// draws reports whether there is a terminal to draw on.
func (b *board) draws() bool { return b.out.isTerminal() && b.out.moves }

// run draws until the context ends.
func (b *board) run(ctx context.Context) {
	if !b.draws() {
		return
	}
	defer b.clear()
	for sleep(ctx, boardPause) {
		b.mu.Lock()
		b.bottom.draw(b.linesLocked(time.Now()))
		b.mu.Unlock()
	}
}

func (b *board) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bottom.clear()
}

// above writes text above the bars.
func (b *board) above(to io.Writer, text []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bottom.clear()
	_, err := to.Write(text)
	return err
}

// say shows a message of this program.
func (b *board) say(format string, args ...any) {
	_ = b.above(b.err, fmt.Appendf(nil, "%s: %s\n", b.program, fmt.Sprintf(format, args...))) // an error means that stderr is closed
}

// expect adds a task that is waited for. What it does is shown while it runs.
func (b *board) expect(t *schema.Task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	if len(b.titles) < mostTitles && b.draws() {
		b.titles[t.ID] = strings.TrimSpace(t.Type + " " + show.Work(t))
	}
	if t.State == schema.Running {
		b.running[t.ID] = &runningTask{id: t.ID, started: t.StartedAt.Time(), progress: t.Progress}
	}
}

// forget takes back an expect.
func (b *board) forget(id uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total--
	delete(b.titles, id)
}

// count notes how many tasks were submitted, of a list that goes on; 0 ends that.
func (b *board) count(submitted int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.submitted = submitted
}

// event shows an event of a task.
func (b *board) event(ev client.Event) {
	if ev.Retrying != nil {
		b.retry(ev.Retrying)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case ev.Started != nil:
		b.running[ev.Started.ID] = &runningTask{id: ev.Started.ID, started: ev.Started.StartedAt.Time()}
	case ev.Progress != nil:
		if r := b.running[ev.Progress.ID]; r != nil {
			r.progress = &ev.Progress.Progress
		}
	}
}

// retry shows that an attempt of a task has failed, and that another one follows.
func (b *board) retry(ev *schema.RetryingEvent) {
	b.mu.Lock()
	delete(b.running, ev.ID)
	failed := ev.Error != nil
	if failed {
		b.retried++
	}
	number := b.retried
	b.mu.Unlock()
	if failed && number <= mostFailures {
		b.say("%s: %s", ev.ID, retryingText(ev, time.Now()))
	}
}

// end shows the end of a task. How says what the end means for a wait for several tasks.
func (b *board) end(t *schema.Task, how ending) {
	b.mu.Lock()
	delete(b.running, t.ID)
	delete(b.titles, t.ID)
	b.ended++
	switch how {
	case endsBadly:
		b.failed++
	case endsByOther:
		b.notRun++
	}
	number := b.failed
	b.mu.Unlock()
	if how == endsBadly && number <= mostFailures {
		b.say("%s%s", show.End(t), b.whereOutput(t))
	}
}

// whereOutput names a task, and how its output is shown where it has any.
func (b *board) whereOutput(t *schema.Task) string {
	if o := t.OutputBytes; o == nil || o.Stdout+o.Stderr == 0 {
		return fmt.Sprintf(" (%s)", t.ID)
	}
	return fmt.Sprintf("; %s logs %s shows its output", b.program, t.ID)
}

// over tells how many failures were only counted, and how many tasks did not run because of failures.
func (b *board) over() {
	b.mu.Lock()
	more, attempts, notRun := b.failed-mostFailures, b.retried-mostFailures, b.notRun
	b.mu.Unlock()
	if attempts > 0 {
		b.say("%s failed, with another one after it", counted(attempts, "more attempt"))
	}
	if more > 0 {
		b.say("%s failed or cancelled as well", counted(more, "more task"))
	}
	if notRun > 0 {
		they := "they come"
		if notRun == 1 {
			they = "it comes"
		}
		b.say("%s did not run because of what %s after", counted(notRun, "task"), they)
	}
}

// linesLocked are the bars, and below them the line for all tasks.
func (b *board) linesLocked(now time.Time) []string {
	columns, rows := b.out.size()
	running := make([]*runningTask, 0, len(b.running))
	for _, r := range b.running {
		running = append(running, r)
	}
	slices.SortFunc(running, func(a, b *runningTask) int {
		return cmp.Or(a.started.Compare(b.started), slices.Compare(a.id[:], b.id[:]))
	})
	var lines []string
	for _, r := range running[:min(len(running), mostBars, max(0, rows-2))] {
		lines = append(lines, b.taskLine(r, now, columns-1))
	}
	return append(lines, b.totalLine(now, columns-1))
}

// taskLine is the bar of one task.
func (b *board) taskLine(r *runningTask, now time.Time, columns int) string {
	text := show.Line(b.titles[r.id])
	bar := strings.Repeat(" ", taskBarCells+2)
	if p := r.progress; p != nil {
		if share, known := show.Share(*p); known {
			bar = barOf(share, taskBarCells)
		}
		text = strings.TrimSuffix(show.Line(progressText(*p))+"  "+text, "  ")
	}
	head := fmt.Sprintf("%s %6s ", show.ShortID(r.id), show.Span(now.Sub(r.started)))
	return show.Cut(head, columns) + b.out.paint(cyan, show.Cut(bar, columns-show.Columns(head))) +
		show.Cut(" "+text, columns-show.Columns(head)-show.Columns(bar))
}

// totalLine is the line for all tasks.
func (b *board) totalLine(now time.Time, columns int) string {
	elapsed := now.Sub(b.began)
	var text, bar string
	switch {
	case b.submitted > 0:
		text = fmt.Sprintf("%d submitted, %.0f/s", b.submitted, float64(b.submitted)/max(elapsed.Seconds(), 0.001))
		if b.ended > 0 {
			text += fmt.Sprintf(", %d ended", b.ended)
		}
	default:
		bar = barOf(float64(b.ended)/float64(max(b.total, 1)), barCells) + " "
		text = fmt.Sprintf("%d/%d ended, %d running, %s", b.ended, b.total, len(b.running), show.Span(elapsed))
		if b.notRun > 0 {
			text = fmt.Sprintf("%d not run, %s", b.notRun, text)
		}
		if b.failed > 0 {
			text = fmt.Sprintf("%d failed, %s", b.failed, text)
		}
		if b.ended > 0 && b.ended < b.total {
			text += fmt.Sprintf(", about %s left", show.Span(elapsed*time.Duration(b.total-b.ended)/time.Duration(b.ended)))
		}
	}
	bar, text = show.Cut(bar, columns), show.Cut(text, columns-show.Columns(bar))
	if b.failed > 0 {
		return bar + b.out.paint(red, text)
	}
	return bar + text
}
