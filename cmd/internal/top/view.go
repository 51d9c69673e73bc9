package top

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
)

// view is the screen as text: a line for each row, none wider than the screen.
func (m *model) view() string {
	if m.width < leastColumns || m.height < headRows+footRows+leastRows {
		return show.Cut("this screen is too small", max(1, m.width))
	}
	if m.help {
		return strings.Join(m.helpLines(), "\n")
	}
	lines := make([]string, m.height)
	lines[0], lines[1] = m.countsLine(), m.curvesLine()
	l := m.layout()
	for p := range pane(listPanes) {
		if l.rows[p] > 0 {
			copy(lines[l.title[p]:], m.listLines(p, l.rows[p]))
		}
	}
	if m.opened != uuid.Nil {
		copy(lines[l.title[paneDetail]:m.height-footRows], m.detailLines(l.rows[paneDetail]))
	}
	lines[m.height-1] = m.footLine()
	return strings.Join(lines, "\n")
}

// painted is text with its width.
type painted struct {
	text    string
	columns int
}

// add adds a text in a style, as far as it fits.
func (p *painted) add(s style, text string, most int) {
	text = show.Cut(text, most-p.columns)
	p.columns += show.Columns(text)
	p.text += s.paint(text)
}

// fill adds spaces up to a width.
func (p *painted) fill(to int) {
	if n := to - p.columns; n > 0 {
		p.text += strings.Repeat(" ", n)
		p.columns = to
	}
}

// grouped is a number with a comma between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// countsLine says how many tasks there are, or that the server has gone.
func (m *model) countsLine() string {
	var p painted
	s := &m.snap.stats
	p.add(m.look.title, "jobline", m.width)
	switch {
	case m.gone != nil:
		p.add(m.look.bad, "  the server has gone, trying again; q quits", m.width)
		p.add(m.look.dim, "  "+show.Line(m.gone.Error()), m.width)
		return p.text
	case !m.ready:
		p.add(m.look.dim, "  …", m.width)
		return p.text
	}
	switch {
	case s.Store.Fault != "":
		p.add(m.look.bad, "  "+show.Line(s.Store.Fault), m.width)
	case s.ShuttingDown:
		p.add(m.look.warning, "  the server is ending", m.width)
	}
	counts := []struct {
		n     int64
		name  string
		style style
	}{
		{s.Tasks.Running, "running", m.look.running}, {s.Tasks.Queued, "queued", m.look.head}, {s.Tasks.Completed, "completed", m.look.good},
		{s.Tasks.Failed, "failed", m.look.bad}, {s.Tasks.Cancelled, "cancelled", m.look.warning},
	}
	for _, c := range counts {
		number, name := "  "+grouped(c.n), " "+c.name
		if p.columns+show.Columns(number+name) > m.width {
			break
		}
		st := c.style
		if c.n == 0 {
			st = m.look.dim
		}
		p.add(st, number, m.width)
		p.add(m.look.dim, name, m.width)
	}
	return p.text
}

// curvesLine shows how many tasks have ended in each second, and how long they took from
// submit to end.
func (m *model) curvesLine() string {
	const rate, latency, figure = "ended/s ", "submit to end ", 7
	cells := (m.width - len(rate) - len(latency) - 2*figure - 2) / 2
	cells = max(0, min(cells, mostSamples))
	perSecond, latencies := make([]float64, 0, mostSamples), make([]float64, 0, mostSamples)
	for _, s := range m.snap.samples {
		perSecond, latencies = append(perSecond, s.perSecond), append(latencies, float64(s.latency))
	}
	var p painted
	p.add(m.look.dim, rate, m.width)
	p.add(m.look.curve, sparkline(perSecond, cells), m.width)
	p.add(m.look.head, " "+rateText(newest(perSecond)), m.width)
	p.fill(min(len(rate)+cells+figure+2, m.width))
	p.add(m.look.dim, latency, m.width)
	p.add(m.look.curve, sparkline(latencies, cells), m.width)
	text := "–"
	if last := newest(latencies); last > 0 {
		text = show.Span(time.Duration(last))
	}
	p.add(m.look.head, " "+text, m.width)
	return p.text
}

func newest(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return values[len(values)-1]
}

// rateText is a number in a second, in at most 6 characters below a million.
func rateText(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.1f", n)
	}
	return grouped(int64(n + 0.5))
}

// footLine is the bottom of the screen: what a person is asked or told, or the keys.
func (m *model) footLine() string {
	var p painted
	switch {
	case m.asked != nil:
		p.add(m.look.warning, m.asked.question(), m.width-len(" y/n"))
		p.add(m.look.keys, " y/n", m.width)
	case m.typing:
		p.add(m.look.keys, "/", m.width)
		text := m.filter.text
		for show.Columns(text) > m.width-3 { // its end is what is being written
			_, text, _ = strings.Cut(text, string([]rune(text)[:1]))
		}
		p.add(style{}, text, m.width)
		p.add(m.look.chosen, " ", m.width)
	case m.notice != "" && m.trouble:
		p.add(m.look.bad, m.notice, m.width)
	case m.notice != "":
		p.add(m.look.head, m.notice, m.width)
	default:
		m.keysLine(&p)
	}
	return p.text
}

// keysLine shows the filter, and the keys that one needs most.
func (m *model) keysLine(p *painted) {
	if m.filter.text != "" {
		p.add(m.look.warning, "filter "+show.Line(m.filter.text)+"  ", m.width)
	}
	shown := []struct{ key, does string }{
		{"?", "help"}, {"q", "quit"}, {"/", "filter"}, {"⏎", "output"}, {"c", "cancel"}, {"r", "retry"}, {"s", "sort"}, {"⇥", "next part"}, {"f", "follow"}, {"x", "kill"},
	}
	if it := m.selected(); it != nil && m.focus != paneDetail && m.snap.parents[it.ID] {
		key, does := "→", "parts"
		if slices.Contains(m.unfolded, it.ID) {
			key, does = "←", "no parts"
		}
		shown = slices.Insert(shown, 4, struct{ key, does string }{key, does})
	}
	for _, k := range shown {
		if p.columns+show.Columns(k.key+" "+k.does)+2 > m.width {
			return
		}
		p.add(m.look.keys, k.key, m.width)
		p.add(m.look.dim, " "+k.does+"  ", m.width)
	}
}

// helpLines is the screen of the help.
func (m *model) helpLines() []string {
	const keyColumns, columns = 8, 40
	var p painted
	p.add(m.look.title, "jobline top", m.width)
	p.add(m.look.dim, "  any key closes this help", m.width)
	lines := []string{p.text, ""}
	shown := m.keys.shown()
	rows := len(shown)
	if m.width >= 2*columns {
		rows = (len(shown) + 1) / 2
	}
	for i := range rows {
		var p painted
		for j := i; j < len(shown); j += rows {
			p.fill(j / rows * columns)
			p.add(m.look.keys, "  "+show.Pad(shown[j].Help().Key, keyColumns), m.width)
			p.add(style{}, shown[j].Help().Desc, m.width)
		}
		lines = append(lines, p.text)
	}
	lines = append(lines, "", show.Cut("  The mouse chooses a task, a second click shows it, the wheel scrolls.", m.width),
		show.Cut(fmt.Sprintf("  Lists hold the first %d that run, %d that wait, %d that have ended.", mostRunning, mostQueued, mostEnded), m.width))
	lines = append(lines, make([]string, m.height)...)
	return lines[:m.height]
}
