package top

import (
	"fmt"
	"unicode/utf8"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/google/uuid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// model is the screen as a state machine: update changes it by a message, and the view
// depends on nothing else.
type model struct {
	width, height int
	look          look
	keys          keyMap

	snap     snapshot
	ready    bool // a snapshot has come
	gone     error
	lists    [listPanes]list
	focus    pane
	opened   uuid.UUID // the task of the detail pane; the nil UUID where it is closed
	from     pane      // the list of that task
	detail   detail
	unfolded []uuid.UUID // the tasks that show their parts below them; replaced as a whole
	scroll   int         // how many lines of output are below the pane
	follow   bool        // the pane shows the newest line

	filter  filter
	typing  bool   // the filter is being written
	before  string // the filter before that
	help    bool
	asked   *action // waits for a yes
	notice  string
	trouble bool // the notice is bad news
}

func newModel(l look) *model {
	return &model{look: l, keys: makeKeys(), follow: true, width: 80, height: 24}
}

// action is something to do for a task.
type action struct {
	verb verb
	id   uuid.UUID
	name string // of the task, for a person
}

type verb int

const (
	doCancel verb = iota
	doForce
	doRetry
)

// doneMsg says how an action has ended.
type doneMsg struct {
	text string
	err  error
}

// effect is what the program does after an update.
type effect struct {
	quit, suspend bool
	act           *action
}

// update changes the screen.
func (m *model) update(msg any) (e effect) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.BackgroundColorMsg:
		m.look = m.look.on(msg.IsDark())
	case tea.ColorProfileMsg:
		m.look = m.look.with(msg.Profile)
	case snapshot:
		m.snap, m.ready = msg, true
		m.arrange()
		m.forget()
	case detail:
		m.detailed(msg)
	case goneMsg:
		m.gone = msg.err
	case backMsg:
		m.gone, m.notice, m.trouble = nil, "connected again", false
	case doneMsg:
		m.notice, m.trouble = msg.text, msg.err != nil
		if msg.err != nil {
			m.notice = show.Line(msg.err.Error())
		}
	case tea.PasteMsg:
		if m.typing {
			m.setFilter(m.filter.text + show.Line(msg.Content))
		}
	case tea.KeyPressMsg:
		e = m.press(msg)
	case tea.MouseClickMsg:
		m.click(msg.Mouse())
	case tea.MouseWheelMsg:
		m.wheel(msg.Mouse())
	}
	m.fit()
	return e
}

// arrange fills the lists with what is known.
func (m *model) arrange() {
	for p, items := range [listPanes][]*item{m.snap.running, m.snap.queued, m.snap.ended} {
		m.lists[p].set(items, m.filter, orders[p], m.withParts)
	}
}

// detailed takes what the detail pane shows. The lines that a person reads stay where
// they are.
func (m *model) detailed(d detail) {
	if d.id != m.opened {
		return
	}
	if !m.follow && d.id == m.detail.id {
		m.scroll += d.first + len(d.lines) - m.detail.first - len(m.detail.lines)
	}
	m.detail = d
	if m.follow {
		m.scroll = 0
	}
	m.scroll = max(0, min(m.scroll, len(d.lines)-1))
}

// fit makes what is selected visible after a change.
func (m *model) fit() {
	l := m.layout()
	for p := range m.lists {
		m.lists[p].scroll(max(1, l.rows[p]))
	}
}

// wants is what the screen needs to know.
func (m *model) wants() wants {
	w := wants{detail: m.opened, filter: m.filter, parts: m.unfolded}
	if m.typing { // it is asked for when it is complete
		w.filter = parseFilter(m.before)
	}
	l := m.layout()
	for p := range m.lists {
		list := &m.lists[p]
		for _, it := range list.items[min(list.top, len(list.items)):min(list.top+l.rows[p], len(list.items))] {
			if it.note == "" {
				w.work = append(w.work, it.ID)
			}
		}
	}
	return w
}

// selected is the task that keys are for, or nil.
func (m *model) selected() *item {
	p := m.focus
	if p == paneDetail {
		for q := range m.lists {
			for _, it := range m.lists[q].items {
				if it.ID == m.opened {
					return it
				}
			}
		}
		if m.detail.id == m.opened && m.detail.task.ID == m.opened {
			return &item{Task: m.detail.task}
		}
		return nil
	}
	return m.lists[p].selected()
}

// press handles a key.
func (m *model) press(k tea.KeyPressMsg) effect {
	switch {
	case k.String() == "ctrl+c":
		return effect{quit: true}
	case k.String() == "ctrl+z":
		return effect{suspend: true}
	case m.typing:
		m.pressInFilter(k)
		return effect{}
	case m.asked != nil:
		return m.pressInQuestion(k)
	case m.help:
		m.help = false
		return effect{quit: key.Matches(k, m.keys.quit)}
	}
	m.notice = ""
	switch {
	case key.Matches(k, m.keys.quit):
		return effect{quit: true}
	case key.Matches(k, m.keys.help):
		m.help = true
	case key.Matches(k, m.keys.filter):
		m.typing, m.before = true, m.filter.text
	case key.Matches(k, m.keys.sort):
		m.sort()
	case key.Matches(k, m.keys.follow):
		m.follow, m.scroll = !m.follow, 0
	case key.Matches(k, m.keys.cancel):
		m.ask(doCancel)
	case key.Matches(k, m.keys.force):
		m.ask(doForce)
	case key.Matches(k, m.keys.retry):
		m.ask(doRetry)
	default:
		m.pressToMove(k)
	}
	return effect{}
}

// pressInFilter handles a key while the filter is being written.
func (m *model) pressInFilter(k tea.KeyPressMsg) {
	text := m.filter.text
	switch k.String() {
	case "enter":
		m.typing = false
	case "esc":
		m.typing = false
		m.setFilter(m.before)
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(text)
		m.setFilter(text[:len(text)-n])
	case "ctrl+u":
		m.setFilter("")
	default:
		m.setFilter(text + show.Line(k.Text) + spaceOf(k.Text))
	}
}

// spaceOf is the space that a person has typed, or "".
func spaceOf(text string) string {
	if text == " " {
		return text
	}
	return ""
}

func (m *model) setFilter(text string) {
	m.filter = parseFilter(text)
	m.arrange()
}

// ask asks whether to do something for the selected task.
func (m *model) ask(v verb) {
	it := m.selected()
	switch {
	case it == nil:
		m.notice = "no task is selected"
	case v == doRetry && !it.State.Final():
		m.notice = "a task that has not ended is not submitted again; c cancels it"
	case v != doRetry && it.State.Final():
		m.notice = "the task has ended; r submits it again"
	default:
		m.asked = &action{v, it.ID, taskName(it)}
	}
}

// taskName names a task for a person.
func taskName(it *item) string {
	name := show.ShortID(it.ID) + " " + show.Line(it.Type)
	if it.work != "" {
		name += " " + show.Cut(it.work, 40)
	}
	return name
}

// question is what a person is asked.
func (a *action) question() string {
	switch a.verb {
	case doCancel:
		return fmt.Sprintf("Cancel %s?", a.name)
	case doForce:
		return fmt.Sprintf("Kill %s without its grace?", a.name)
	}
	return fmt.Sprintf("Submit %s again?", a.name)
}

// pressInQuestion handles the answer to a question.
func (m *model) pressInQuestion(k tea.KeyPressMsg) (e effect) {
	if k.Text == "y" || k.Text == "Y" || k.String() == "enter" {
		e.act = m.asked
	}
	m.asked = nil
	return e
}

// sort sorts the list in another way.
func (m *model) sort() {
	if m.focus == paneDetail {
		return
	}
	l := &m.lists[m.focus]
	l.order = (l.order + 1) % len(orders[m.focus])
	m.arrange()
	m.notice = "sorted " + orders[m.focus][l.order].name
}

// open shows the selected task in detail.
func (m *model) open() {
	if it := m.selected(); it != nil && m.focus != paneDetail {
		m.from, m.opened, m.scroll, m.follow = m.focus, it.ID, 0, true
		m.detail = detail{id: it.ID, task: schema.Task{}}
	}
}

// shut closes the detail pane.
func (m *model) shut() {
	if m.focus == paneDetail {
		m.focus = m.from
	}
	m.opened, m.detail = uuid.Nil, detail{}
}
