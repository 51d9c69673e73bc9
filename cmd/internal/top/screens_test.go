package top

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/vt"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/schema"
)

// updateScreens writes the golden files anew: go test ./cmd/internal/top -run Screens -update.
var updateScreens = flag.Bool("update", false, "write the golden files of screens anew")

var screenTime = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func idOf(n byte) uuid.UUID {
	return uuid.UUID{0x01, 0x9c, 0x12, 0x34, 0x56, 0x78, 0x70, 0, 0x80, 0, 0, 0, 0xab, 0xcd, 0xef, n}
}

// screenSnapshot is an executor with tasks in all states, with texts that would break a
// terminal.
func screenSnapshot() snapshot {
	ago := func(d time.Duration) schema.Time { return schema.TimeOf(screenTime.Add(-d)) }
	own := map[string]string{"owner": "jobline"}
	task := func(n byte, state schema.State, kind, work string, created, started time.Duration) *item {
		it := &item{Task: schema.Task{ID: idOf(n), Type: kind, State: state, Labels: own, CreatedAt: ago(created)}, work: show.Line(work), workKnown: true}
		if state != schema.Queued {
			it.StartedAt = ago(started)
		}
		return it
	}
	progress := func(it *item, p schema.Progress) *item {
		it.Progress = &p
		return it
	}
	ended := func(it *item, d time.Duration, e *schema.TaskError) *item {
		it.FinishedAt, it.Error = ago(d), e
		return it
	}
	stopping := task(0x14, schema.Running, "exec", "sleep 600", 40*time.Second, 33*time.Second)
	stopping.CancelRequestedAt = ago(time.Second)
	urgent := task(0x21, schema.Queued, "exec", "make test", 20*time.Second, 0)
	urgent.Priority, urgent.Labels = 10, map[string]string{"owner": "nvim", "build": "7", "project": "/home/ada/unicorns"}
	s := snapshot{
		at: screenTime,
		stats: schema.StatsResult{
			Tasks: schema.TaskCounts{Queued: 100_000, Running: 4, Completed: 12_345, Failed: 3, Cancelled: 0}, Limits: map[string]int64{"running": 4},
		},
		running: []*item{
			progress(task(0x11, schema.Running, "unicornWrangling", `{"durationMs":400}`, 95*time.Second, 90*time.Second), schema.Progress{Value: 3, Total: 4, Unit: "steps", Message: "befriend\x1b[2J"}),
			progress(task(0x12, schema.Running, "exec", "rsync -a /very/long/path/to/photos backup:/volume1/photos --exclude '*.tmp'", time.Hour, 52*time.Minute), schema.Progress{Value: 123456, Unit: "files"}),
			task(0x13, schema.Running, "exec", "make -j4 日本語", 6*time.Second, 5*time.Second),
			stopping,
		},
		queued:    []*item{urgent, task(0x22, schema.Queued, "sleep", `{"durationMs":600000}`, 3*time.Minute, 0), task(0x23, schema.Queued, "evil\x1b]0;title\a", "\u202eabc", time.Minute, 0)},
		queueMore: true,
		ended: []*item{
			ended(task(0x31, schema.Failed, "exec", "make lint", 50*time.Second, 49*time.Second), 30*time.Second, &schema.TaskError{Kind: schema.KindExit, ExitCode: new(2), Message: "make exited with code 2"}),
			ended(task(0x32, schema.Completed, "noop", "", 2*time.Hour, 2*time.Hour), 2*time.Hour-12*time.Millisecond, nil),
			ended(task(0x33, schema.Cancelled, "exec", "sleep 9", 50*time.Hour, 50*time.Hour), 49*time.Hour, &schema.TaskError{Kind: schema.KindCancelled, Message: "cancelled"}),
		},
	}
	for i := range 70 {
		s.samples = append(s.samples, sample{float64(i*i%97) / 2, time.Duration(i*37%50) * 50 * time.Millisecond})
	}
	return s
}

// screenDetail is a task with output that would break a terminal.
func screenDetail() detail {
	r := &outputReader{id: idOf(0x13)}
	r.task = schema.Task{ID: r.id, Type: "exec", State: schema.Running, Attempt: 1, Labels: map[string]string{"owner": "jobline", "build": "7"}, Input: []byte(`{"argv":["make","-j4","日本語"]}`)}
	r.write(schema.Stdout, []byte("cc a.c\r\n 10%\r 50%\r100%\ncc\tb.c\n"+strings.Repeat("long ", 30)+"\n"), false)
	r.write(schema.Stderr, []byte("warning: \x1b[2J\x1b]52;c;ZXZpbA==\a\u009b\xff\n"), false)
	r.write(schema.Stdout, []byte("linking"), false)
	return r.detail()
}

// screenOf is a screen with that executor.
func screenOf(columns, rows int, profile colorprofile.Profile, dark bool) *model {
	m := newModel(newLook(profile, true))
	m.update(tea.WindowSizeMsg{Width: columns, Height: rows})
	if !dark {
		m.look = m.look.on(false)
	}
	m.update(screenSnapshot())
	return m
}

// shownBy is what a terminal shows of a screen: as text, and with its styles.
func shownBy(t *testing.T, m *model) (text, styled string) {
	t.Helper()
	v := vt.NewEmulator(m.width, m.height)
	out := &colorprofile.Writer{Forward: v, Profile: m.look.profile}
	view := m.view()
	_, err := out.Write(bytes.ReplaceAll([]byte(view), []byte("\n"), []byte("\r\n")))
	require.NoError(t, err)
	require.Equal(t, m.height-1, strings.Count(view, "\n"), "a line for each row")
	trim := func(text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			b.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		return b.String()
	}
	return trim(v.String()), strings.ReplaceAll(trim(v.Render()), "\x1b", "^[")
}

// golden compares text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "screens", name+".txt")
	if *updateScreens {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./cmd/internal/top -run Screens -update writes it anew")
}

func TestScreensOfAllWidths(t *testing.T) {
	for columns, rows := range map[int]int{60: 20, 100: 24, 200: 24} {
		m := screenOf(columns, rows, colorprofile.TrueColor, true)
		text, _ := shownBy(t, m)
		golden(t, fmt.Sprintf("lists-%d", columns), text)
		m.update(tea.KeyPressMsg{Code: 'j', Text: "j"})
		m.update(tea.KeyPressMsg{Code: tea.KeyEnter})
		require.Equal(t, idOf(0x11), m.opened, "the one that has run for the second longest time")
		m.opened = idOf(0x13)
		m.update(screenDetail())
		text, _ = shownBy(t, m)
		golden(t, fmt.Sprintf("detail-%d", columns), text)
	}
}

// TestScreensOfAllTerminals shows the same text in the colours that a terminal has.
func TestScreensOfAllTerminals(t *testing.T) {
	want, _ := shownBy(t, screenOf(100, 24, colorprofile.TrueColor, true))
	styles := map[string]bool{}
	for name, m := range map[string]*model{
		"truecolor-dark":  screenOf(100, 24, colorprofile.TrueColor, true),
		"truecolor-light": screenOf(100, 24, colorprofile.TrueColor, false),
		"256-dark":        screenOf(100, 24, colorprofile.ANSI256, true),
		"16":              screenOf(100, 24, colorprofile.ANSI, true),
		"none":            screenOf(100, 24, colorprofile.ASCII, true),
	} {
		text, styled := shownBy(t, m)
		require.Equal(t, want, text, name)
		require.False(t, styles[styled], "%s differs from the others", name)
		styles[styled] = true
		golden(t, "colours-"+name, styled)
	}
}

func TestScreensOfOtherStates(t *testing.T) {
	shows := func(name string, change func(m *model)) {
		m := screenOf(80, 20, colorprofile.ASCII, true)
		change(m)
		text, _ := shownBy(t, m)
		golden(t, name, text)
	}
	shows("help", func(m *model) { m.update(tea.KeyPressMsg{Code: '?', Text: "?"}) })
	shows("question", func(m *model) { m.update(tea.KeyPressMsg{Code: 'c', Text: "c"}) })
	shows("gone", func(m *model) { m.update(goneMsg{errors.New("read: connection reset\x1b[2J by peer")}) })
	shows("filter", func(m *model) {
		for _, r := range "/make" {
			m.update(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	})
	shows("empty", func(m *model) { m.update(snapshot{at: screenTime}) })
	shows("waiting", func(m *model) {
		s := screenSnapshot()
		free, total := int64(0), int64(2)
		waits := [][]schema.Waiting{
			{{Kind: schema.WaitsForDependency, Count: 1, IDs: []uuid.UUID{idOf(0x13)}, Message: "comes after one"}, {Kind: schema.WaitsForResume, Name: "nightly\x1b[2J", Message: "the group is paused"}},
			{{Kind: schema.WaitsForResource, Name: "gpu", Amount: 1, Free: &free, Total: &total, Message: "needs 1 of gpu, and 0 of 2 is free"}},
			{{Kind: schema.WaitsForKey, Name: "deploy", IDs: []uuid.UUID{idOf(0x13)}, Message: "one task of the key \"deploy\" at a time"}},
		}
		for i, it := range s.queued {
			changed := *it
			changed.WaitingFor, s.queued[i] = waits[i], &changed
		}
		s.queueMore, s.stats.Tasks = false, schema.TaskCounts{Queued: 3, Running: 4}
		s.stats.Limits["running"] = 8
		m.update(s)
		m.opened = s.queued[0].ID
		m.update(detail{id: m.opened, task: s.queued[0].Task})
	})
	shows("placed", func(m *model) {
		s := screenSnapshot()
		on := func(place string) *schema.Conditions { return &schema.Conditions{On: map[string]string{"gpu": place}} }
		for i, conditions := range []*schema.Conditions{on("a100"), on("h100"), on("t4\x1b[2J")} {
			changed := *s.queued[i]
			changed.Conditions, s.queued[i] = conditions, &changed
		}
		s.queued[1].WaitingFor = []schema.Waiting{{Kind: schema.WaitsForGroup, Name: "photos", Message: "the group is full"}}
		s.around.runners = runners{
			{Name: "build-1", Limit: 4, Labels: on("a100").On, Draining: true},
			{Name: "build-2", Limit: 4, Labels: on("h100").On, Running: 4},
		}
		m.update(s)
	})
	shows("around", func(m *model) {
		s := screenSnapshot()
		s.stats.Tasks = schema.TaskCounts{Running: 4}
		s.around = around{groups: []string{"deploy", "nightly\x1b[2J"}}
		m.update(s)
		task := s.running[0].Task
		task.Conditions = &schema.Conditions{Group: "photos", Key: "disk\x1b[2J", Needs: map[string]int64{"ram": 4, "gpu": 1}}
		m.opened = task.ID
		m.update(detail{id: m.opened, task: task})
	})
	shows("ending", func(m *model) {
		s := screenSnapshot()
		s.stats.ShuttingDown = true
		m.update(s)
	})
}

// TestScreenOfThePage is what docs/daemon.md shows.
func TestScreenOfThePage(t *testing.T) {
	s := screenSnapshot()
	s.stats.Tasks = schema.TaskCounts{Queued: 2, Running: 3, Completed: 128, Failed: 1}
	of := func(it *item, kind, work string) *item {
		changed := *it
		changed.Type, changed.work = kind, work
		return &changed
	}
	s.running = []*item{
		of(s.running[0], "thumbnails", `{"dir":"photos"}`), of(s.running[3], "exec", "make -j4 test"), of(s.running[2], "exec", "npm run watch"),
	}
	s.running[1].CancelRequestedAt = 0
	s.running[0].Progress = &schema.Progress{Value: 312, Total: 480, Unit: "photos"}
	s.queued = []*item{of(s.queued[0], "exec", "make deploy"), of(s.queued[1], "exec", "cargo build")}
	s.queueMore, s.ended = false, []*item{of(s.ended[0], "exec", "npm run lint"), of(s.ended[1], "noop", "")}
	s.stats.Limits = map[string]int64{"running": 3}
	m := screenOf(96, 16, colorprofile.ASCII, true)
	m.update(s)
	press(m, "down", "enter")
	r := &outputReader{id: m.opened}
	r.task = schema.Task{ID: r.id, Type: "exec", State: schema.Running, Attempt: 1, Input: []byte(`{"argv":["make","-j4","test"]}`)}
	r.write(schema.Stdout, []byte("ok  \tunicorns/herd\t1.204s\nok  \tunicorns/stable\t0.310s\n"), false)
	r.write(schema.Stderr, []byte("herd_test.go:41: slow: 1.1s\n"), false)
	m.opened = r.id
	m.update(r.detail())
	text, _ := shownBy(t, m)
	golden(t, "page", text)
}

// treeSnapshot is an executor with an import whose files are its parts, of which one has parts too.
func treeSnapshot() snapshot {
	s := screenSnapshot()
	part := func(n byte, parent *item, state schema.State, work string) *item {
		it := *s.running[2]
		it.ID, it.State, it.work, it.Conditions = idOf(n), state, show.Line(work), &schema.Conditions{Parent: parent.ID}
		switch {
		case state == schema.Queued:
			it.StartedAt = 0
		case state.Final():
			it.FinishedAt = it.StartedAt + schema.Time(1_500_000)
		}
		return &it
	}
	parent := *s.running[0]
	parent.Type, parent.work = "exec", "./import-all"
	parent.Progress = &schema.Progress{Value: 3, Total: 100_000, Unit: "tasks"}
	files := []*item{
		part(0x51, &parent, schema.Running, "./import a"), part(0x52, &parent, schema.Failed, "./import b\x1b[2J"), part(0x53, &parent, schema.Queued, "./import c"), part(0x54, &parent, schema.Completed, "./import d"),
	}
	files[1].Error = &schema.TaskError{Kind: schema.KindExit, ExitCode: new(7), Message: "./import exited with code 7"}
	files[2].WaitingFor = []schema.Waiting{{Kind: schema.WaitsForKey, Name: "disk", Message: "one task of the key \"disk\" at a time"}}
	lines := []*item{part(0x61, files[0], schema.Running, "./line 1")}
	s.running = []*item{&parent, s.running[1], files[0], lines[0]}
	s.queued, s.ended = []*item{files[2], s.queued[0]}, []*item{files[1], s.ended[0]}
	s.parents = map[uuid.UUID]bool{parent.ID: true, files[0].ID: true}
	s.parts = map[uuid.UUID]parts{parent.ID: {files, 99_996}, files[0].ID: {items: lines}}
	return s
}

// TestScreensOfTrees folds a task out to its parts, and one of these to its own.
func TestScreensOfTrees(t *testing.T) {
	m := screenOf(100, 24, colorprofile.ASCII, true)
	s := treeSnapshot()
	m.update(s)
	text, _ := shownBy(t, m)
	golden(t, "tree-folded", text)
	press(m, "down", "right")
	require.Equal(t, []uuid.UUID{idOf(0x11)}, m.wants().parts)
	press(m, "down", "l")
	text, _ = shownBy(t, m)
	golden(t, "tree", text)
	m.update(tea.WindowSizeMsg{Width: 60, Height: 20})
	text, _ = shownBy(t, m)
	golden(t, "tree-60", text)
	m.update(tea.WindowSizeMsg{Width: 100, Height: 24})
	press(m, "down", "down", "enter")
	task := m.selected().Task
	require.Equal(t, idOf(0x52), task.ID)
	m.update(detail{id: task.ID, task: task})
	text, _ = shownBy(t, m)
	golden(t, "tree-detail", text)
}
