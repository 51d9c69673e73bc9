package top

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/google/uuid"
)

// keyMap is what the keys do. A binding names its keys, and says in the help what they do.
type keyMap struct {
	up, down, pageUp, pageDown, home, end            key.Binding
	next, previous, open, shut, unfold, fold         key.Binding
	cancel, force, retry, filter, sort, follow, help key.Binding
	quit                                             key.Binding
}

func bind(shown, does string, names ...string) key.Binding {
	return key.NewBinding(key.WithKeys(names...), key.WithHelp(shown, does))
}

// makeKeys is called when top starts, so that other commands have no work with it.
func makeKeys() keyMap {
	return keyMap{
		up:       bind("↑ k", "up", "up", "k"),
		down:     bind("↓ j", "down", "down", "j"),
		pageUp:   bind("PgUp", "a page up", "pgup", "ctrl+b"),
		pageDown: bind("PgDn", "a page down", "pgdown", "ctrl+f"),
		home:     bind("Home g", "the first", "home", "g"),
		end:      bind("End G", "the last", "end", "G"),
		next:     bind("Tab", "next part of the screen", "tab"),
		previous: bind("⇧Tab", "part before", "shift+tab"),
		open:     bind("Enter", "show a task and its output", "enter"),
		shut:     bind("Esc", "close it; clear the filter", "esc"),
		unfold:   bind("→ l", "show the parts of a task", "right", "l"),
		fold:     bind("← h", "hide them", "left", "h"),
		cancel:   bind("c", "cancel the task", "c"),
		force:    bind("x", "kill it without its grace", "x"),
		retry:    bind("r", "submit it again", "r"),
		filter:   bind("/", "filter: words, type=NAME, KEY=VALUE", "/"),
		sort:     bind("s", "sort in another way", "s"),
		follow:   bind("f", "follow the output, or stay", "f"),
		help:     bind("?", "this help", "?"),
		quit:     bind("q", "quit", "q"),
	}
}

// shown are the keys of the help, in its order.
func (k *keyMap) shown() []key.Binding {
	return []key.Binding{
		k.up, k.down, k.pageUp, k.pageDown, k.home, k.end, k.next, k.previous, k.open, k.shut, k.unfold, k.fold,
		k.cancel, k.force, k.retry, k.filter, k.sort, k.follow, k.help, k.quit,
	}
}

// pressToMove handles a key that moves something or chooses a part of the screen.
func (m *model) pressToMove(k tea.KeyPressMsg) {
	page := max(1, m.layout().rows[m.focus]-1)
	switch {
	case key.Matches(k, m.keys.up):
		m.move(-1)
	case key.Matches(k, m.keys.down):
		m.move(1)
	case key.Matches(k, m.keys.pageUp):
		m.move(-page)
	case key.Matches(k, m.keys.pageDown):
		m.move(page)
	case key.Matches(k, m.keys.home):
		m.move(-mostLines)
	case key.Matches(k, m.keys.end):
		m.move(mostLines)
	case key.Matches(k, m.keys.next):
		m.turn(1)
	case key.Matches(k, m.keys.previous):
		m.turn(-1)
	case key.Matches(k, m.keys.open):
		m.open()
	case key.Matches(k, m.keys.unfold) && m.focus != paneDetail:
		m.unfold()
	case key.Matches(k, m.keys.fold) && m.focus != paneDetail:
		m.fold()
	case key.Matches(k, m.keys.shut):
		if m.opened != uuid.Nil {
			m.shut()
		} else {
			m.setFilter("")
		}
	}
}

// move moves the cursor of a list, or the output.
func (m *model) move(by int) {
	if m.focus != paneDetail {
		l := &m.lists[m.focus]
		l.move(l.cursor + by)
		if m.opened != uuid.Nil { // the detail pane goes with the cursor
			m.open()
		}
		return
	}
	m.scroll = max(0, min(m.scroll-by, len(m.detail.lines)-1))
	m.follow = m.scroll == 0
}

// turn goes to another part of the screen.
func (m *model) turn(by int) {
	parts := pane(listPanes)
	if m.opened != uuid.Nil {
		parts++
	}
	m.goTo((m.focus + pane(by) + parts) % parts)
}

// goTo gives a part of the screen the keys.
func (m *model) goTo(p pane) {
	if p == paneDetail && m.focus != paneDetail {
		m.from = m.focus
	}
	m.focus = p
}

// click selects the row at a place, and opens it where it was selected.
func (m *model) click(at tea.Mouse) {
	if at.Button != tea.MouseLeft || m.help {
		return
	}
	m.asked, m.notice = nil, ""
	p, row, ok := m.layout().at(at.Y)
	if !ok {
		return
	}
	same := m.focus == p
	m.goTo(p)
	if p == paneDetail || row < 0 {
		return
	}
	l := &m.lists[p]
	if i := l.top + row; i < len(l.items) {
		same = same && i == l.cursor
		l.move(i)
		if same || m.opened != uuid.Nil {
			m.open()
		}
	}
}

// wheelRows is how many rows a notch of the wheel is.
const wheelRows = 3

// wheel moves what is under the mouse.
func (m *model) wheel(at tea.Mouse) {
	p, _, ok := m.layout().at(at.Y)
	by := map[tea.MouseButton]int{tea.MouseWheelUp: -wheelRows, tea.MouseWheelDown: wheelRows}[at.Button]
	if !ok || by == 0 || m.help {
		return
	}
	focus := m.focus
	m.focus = p
	m.move(by)
	m.focus = focus
}
