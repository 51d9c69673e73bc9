package top

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// named are the keys of tests that are not one character.
var named = map[string]rune{"up": tea.KeyUp, "down": tea.KeyDown, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "backspace": tea.KeyBackspace, "space": tea.KeySpace}

// keyOf is the message of a key.
func keyOf(name string) tea.KeyPressMsg {
	if code, ok := named[name]; ok {
		k := tea.KeyPressMsg{Code: code}
		if name == "space" {
			k.Text = " "
		}
		return k
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

// press presses keys, and answers what the last is to do.
func press(m *model, names ...string) (e effect) {
	for _, name := range names {
		e = m.update(keyOf(name))
	}
	return e
}

func TestKeysMoveTheCursor(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	at := func() uuid.UUID { return m.selected().ID }
	require.Equal(t, idOf(0x12), at(), "what has run longest")
	press(m, "down", "j")
	require.Equal(t, idOf(0x14), at())
	press(m, "end")
	require.Equal(t, idOf(0x13), at())
	press(m, "k", "home")
	require.Equal(t, idOf(0x12), at())
	press(m, "tab")
	require.Equal(t, idOf(0x21), at(), "the first of the queue")
	press(m, "tab", "pgdown")
	require.Equal(t, idOf(0x33), at())
	press(m, "tab")
	require.Equal(t, paneRunning, m.focus)
}

// TestTheCursorStaysOnItsTask moves with the task of the cursor, but stays on the first row.
func TestTheCursorStaysOnItsTask(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	press(m, "down")
	s := screenSnapshot()
	s.running = s.running[2:] // the task of the cursor has ended
	m.update(s)
	require.Equal(t, 1, m.lists[paneRunning].cursor, "its row")
	press(m, "tab", "tab")
	s = screenSnapshot()
	s.ended = append([]*item{{Task: schema.Task{ID: idOf(0x40), State: schema.Completed}}}, s.ended...)
	m.update(s)
	require.Equal(t, idOf(0x40), m.selected().ID, "the newest")
	press(m, "down")
	require.Equal(t, idOf(0x31), m.selected().ID)
	s.ended = append([]*item{{Task: schema.Task{ID: idOf(0x41), State: schema.Completed}}}, s.ended...)
	m.update(s)
	require.Equal(t, idOf(0x31), m.selected().ID)
}

func TestQuestionsNeedAYes(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want *action
	}{
		{[]string{"c", "y"}, &action{doCancel, idOf(0x12), "abcdef12 exec " + show.Cut("rsync -a /very/long/path/to/photos backup:/volume1/photos", 40)}},
		{[]string{"tab", "x", "enter"}, &action{doForce, idOf(0x21), "abcdef21 exec make test"}},
		{[]string{"tab", "tab", "r", "Y"}, &action{doRetry, idOf(0x31), "abcdef31 exec make lint"}},
		{[]string{"c", "n"}, nil}, {[]string{"c", "esc"}, nil}, {[]string{"c", "q"}, nil},
		{[]string{"r", "y"}, nil}, {[]string{"tab", "tab", "c", "y"}, nil},
	} {
		m := screenOf(100, 24, colorprofile.ASCII, true)
		e := press(m, c.keys...)
		require.Equal(t, effect{act: c.want}, e, c.keys)
		require.Nil(t, m.asked)
	}
}

// TestAQuestionIsOfOneTask keeps the task that was asked about, whatever comes meanwhile.
func TestAQuestionIsOfOneTask(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	press(m, "tab", "tab", "r")
	s := screenSnapshot()
	s.ended = append([]*item{{Task: schema.Task{ID: idOf(0x40), State: schema.Failed}}}, s.ended...)
	m.update(s)
	require.Equal(t, idOf(0x31), press(m, "y").act.id)
}

func TestFilterOfTheScreen(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	counts := func() (n [listPanes]int) {
		for p := range m.lists {
			n[p] = len(m.lists[p].items)
		}
		return n
	}
	press(m, "/", "m", "A", "k")
	require.Equal(t, [listPanes]int{1, 1, 1}, counts())
	require.Empty(t, m.wants().filter.text, "it is not complete")
	press(m, "space", "backspace", "backspace", "backspace", "backspace", "q")
	require.Equal(t, "q", m.filter.text, "no key but a letter")
	press(m, "esc")
	require.Empty(t, m.filter.text)
	require.Equal(t, [listPanes]int{4, 3, 3}, counts())
	m.update(keyOf("/"))
	m.update(tea.PasteMsg{Content: "type=exec\x1b[2J owner=nvim build=7"})
	require.Equal(t, [listPanes]int{0, 0, 0}, counts(), "nothing has the type exec^[[2J")
	m.update(tea.KeyPressMsg{Code: 'u', Mod: tea.ModCtrl})
	m.update(tea.PasteMsg{Content: "type=exec owner=nvim build=7"})
	press(m, "enter")
	require.Equal(t, [listPanes]int{0, 1, 0}, counts())
	require.Equal(t, schema.ListParams{Types: []string{"exec"}, Labels: map[string]string{"owner": "nvim", "build": "7"}}, m.wants().filter.params())
	press(m, "esc")
	require.Equal(t, [listPanes]int{4, 3, 3}, counts())
}

func TestSortsOfTheScreen(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	first := func() (ids []byte) {
		for range orders[m.focus] {
			press(m, "s")
			ids = append(ids, m.lists[m.focus].items[0].ID[15])
		}
		return ids
	}
	require.Equal(t, []byte{0x13, 0x11, 0x12, 0x12}, first(), "newest, furthest, by type, longest")
	press(m, "tab")
	require.Equal(t, []byte{0x21, 0x23, 0x21}, first(), "newest, by type, as the queue is")
	press(m, "tab")
	require.Equal(t, []byte{0x31, 0x33, 0x31, 0x31}, first(), "failed, longest, by type, latest")
}

func TestOutputFollowsAndStays(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	press(m, "enter", "tab", "tab", "tab")
	require.Equal(t, paneDetail, m.focus)
	d := detail{id: m.opened, task: schema.Task{ID: m.opened, State: schema.Running}}
	more := func(n int) {
		for range n {
			d.lines = append(d.lines, line{text: strings.Repeat("x", 1+len(d.lines)+d.first)})
		}
		if over := len(d.lines) - 50; over > 0 {
			d.lines, d.first = d.lines[over:], d.first+over
		}
		m.update(d)
	}
	bottom := func() int { return d.first + len(d.lines) - m.scroll }
	more(40)
	require.Equal(t, 40, bottom())
	press(m, "up", "up")
	require.Equal(t, 38, bottom())
	require.False(t, m.follow)
	more(5)
	require.Equal(t, 38, bottom(), "a person reads there")
	more(100)
	require.Equal(t, d.first+1, bottom(), "that is no longer kept")
	press(m, "f")
	require.Equal(t, 145, bottom())
	press(m, "pgup", "end")
	require.True(t, m.follow, "the end was reached")
	m.update(detail{id: idOf(0x77), lines: []line{{text: "late"}}})
	require.Equal(t, d, m.detail, "of another task")
	press(m, "esc")
	require.Equal(t, uuid.Nil, m.wants().detail)
	require.Equal(t, paneEnded, m.focus)
}

func TestTheMouseChooses(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	click := func(y int) { m.update(tea.MouseClickMsg{Button: tea.MouseLeft, X: 3, Y: y}) }
	queue := m.layout().title[paneQueued]
	click(queue + 2)
	require.Equal(t, idOf(0x22), m.selected().ID)
	require.Equal(t, uuid.Nil, m.opened)
	click(queue + 2)
	require.Equal(t, idOf(0x22), m.opened)
	m.update(tea.MouseWheelMsg{Button: tea.MouseWheelDown, Y: m.layout().title[paneRunning] + 1})
	require.Equal(t, 3, m.lists[paneRunning].cursor)
	require.Equal(t, paneQueued, m.focus, "the wheel moves what is under it")
	for _, y := range []int{-1, 0, 1, 23, 99} {
		click(y)
	}
	require.Equal(t, paneQueued, m.focus)
}

func TestTheServerGoesAndComes(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	m.update(goneMsg{errors.New("EOF")})
	require.Contains(t, m.view(), "the server has gone")
	require.Contains(t, m.view(), "make test", "what was known last stays")
	m.update(backMsg{})
	require.NotContains(t, m.view(), "the server has gone")
	m.update(doneMsg{err: errors.New("it\x1b[2J")})
	require.Contains(t, m.view(), "it^[[2J")
	require.True(t, press(m, "q").quit)
	require.True(t, m.update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}).quit)
	require.True(t, m.update(tea.KeyPressMsg{Code: 'z', Mod: tea.ModCtrl}).suspend)
}

// TestScreensFit: whatever is pressed, shown and resized, each row of the screen fits, and
// has nothing in it that moves the cursor.
func TestScreensFit(t *testing.T) {
	styles := regexp.MustCompile(`\x1b\[[0-9;:]*m`)
	keys := []string{"up", "down", "pgup", "pgdown", "home", "end", "enter", "esc", "tab", "/", "?", "c", "x", "r", "s", "f", "y", "n", "m", "a", "日", "space", "backspace"}
	rapid.Check(t, func(r *rapid.T) {
		m := screenOf(80, 24, rapid.SampledFrom([]colorprofile.Profile{colorprofile.ASCII, colorprofile.ANSI, colorprofile.TrueColor}).Draw(r, "profile"), true)
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "kind") {
			case 0:
				m.update(tea.WindowSizeMsg{Width: rapid.IntRange(1, 220).Draw(r, "width"), Height: rapid.IntRange(1, 60).Draw(r, "height")})
			case 1:
				s := screenSnapshot()
				s.running = s.running[:rapid.IntRange(0, len(s.running)).Draw(r, "running")]
				s.queued[0].work = show.Line(rapid.String().Draw(r, "work"))
				m.update(s)
			case 2:
				reader := &outputReader{id: m.opened, task: schema.Task{ID: m.opened, Error: &schema.TaskError{Message: rapid.String().Draw(r, "error")}}}
				reader.task.State = rapid.SampledFrom([]schema.State{schema.Running, schema.Failed}).Draw(r, "state")
				reader.write(schema.Stdout, rapid.SliceOf(rapid.Byte()).Draw(r, "output"), false)
				m.update(reader.detail())
			case 3:
				m.update(tea.MouseClickMsg{Button: tea.MouseLeft, Y: rapid.IntRange(0, 60).Draw(r, "y")})
			default:
				press(m, rapid.SampledFrom(keys).Draw(r, "key"))
			}
			view := m.view()
			lines := strings.Split(view, "\n")
			require.LessOrEqual(r, len(lines), m.height)
			for _, line := range lines {
				text := styles.ReplaceAllString(line, "")
				require.LessOrEqual(r, show.Columns(text), m.width, "%q", line)
				require.False(r, strings.ContainsFunc(text, func(c rune) bool { return unicode.IsControl(c) || show.IsControl(c) }), "%q", line)
			}
			m.wants()
		}
	})
}

func TestCurves(t *testing.T) {
	require.Equal(t, "  ▁▅█", sparkline([]float64{0, 5, 10}, 5))
	require.Equal(t, "▅█", sparkline([]float64{1000, 5, 10}, 2))
	require.Equal(t, "▁▁", sparkline([]float64{0, 0}, 2))
	require.Empty(t, sparkline([]float64{1}, 0))
	for share, want := range map[float64]string{0: "░░░░", 0.5: "██░░", 1: "████", 0.26: "█░░░", 0.3: "█▏░░", 0.99: "███▉"} {
		full, rest := bar(share, 4)
		require.Equal(t, want, full+rest, share)
	}
	require.Equal(t, "1,234,567", grouped(1234567))
	require.Equal(t, "-12", grouped(-12))
	require.Equal(t, []string{"99.9", "100", "1,234"}, []string{rateText(99.94), rateText(100), rateText(1234.4)})
}

// TestPartsFoldOutAndIn moves over the rows of a tree. A row that only says something is never chosen.
func TestPartsFoldOutAndIn(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	s := treeSnapshot()
	all := s.parts
	s.parts = nil
	m.update(s)
	press(m, "down", "right")
	rows := func() (texts []string) {
		for _, it := range m.lists[paneRunning].items {
			text := it.note
			if text == "" {
				text = show.ShortID(it.ID)
			}
			texts = append(texts, strings.Repeat("-", it.depth)+text)
		}
		return texts
	}
	require.Equal(t, []string{"abcdef12", "abcdef11", "-…", "abcdef51", "abcdef61"}, rows(), "they are asked for")
	s.parts = all
	m.update(s)
	more := "-and 99,996 more; jobline list --parent abcdef11 shows them"
	require.Equal(t, []string{"abcdef12", "abcdef11", "-abcdef51", "-abcdef52", "-abcdef53", "-abcdef54", more, "abcdef61"}, rows(), "a part is there once")
	press(m, "down", "right")
	require.Equal(t, []string{"abcdef12", "abcdef11", "-abcdef51", "--abcdef61", "-abcdef52", "-abcdef53", "-abcdef54", more}, rows())
	press(m, "end")
	require.Equal(t, idOf(0x54), m.selected().ID)
	require.NotContains(t, m.wants().work, uuid.Nil)
	press(m, "c")
	require.Equal(t, "the task has ended; r submits it again", m.notice)
	press(m, "left")
	require.Equal(t, idOf(0x11), m.selected().ID, "the task of which it is a part")
	require.Equal(t, []uuid.UUID{idOf(0x51)}, m.wants().parts, "that is folded as it was, if it is shown again")
	require.Equal(t, []string{"abcdef12", "abcdef11", "abcdef51", "-abcdef61"}, rows())
	press(m, "left", "home", "left", "right")
	m.update(s)
	require.Equal(t, []string{"abcdef12", "-…"}, rows()[:2])
	s.parts = map[uuid.UUID]parts{idOf(0x12): {}}
	m.update(s)
	require.Equal(t, []string{"abcdef12", "-no parts"}, rows()[:2])
	s.running = s.running[:1]
	m.update(s)
	require.Empty(t, m.unfolded, "those that are in no list")
}
