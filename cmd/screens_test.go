package cmd

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/schema"
)

// update writes the golden files, and docs/cli.md, anew: go test ./cmd -run "Screen|CommandLinePage" -update.
var update = flag.Bool("update", false, "write the golden files of screens anew")

// virtualTerminal shows what a person sees.
type virtualTerminal struct {
	*vt.Emulator
	looks terminal
}

func newVirtualTerminal(columns, rows int) *virtualTerminal {
	return &virtualTerminal{
		Emulator: vt.NewEmulator(columns, rows),
		looks:    terminal{size: func() (int, int) { return columns, rows }, moves: true, colours: true},
	}
}

// Write writes as a program does: the system's terminal adds the carriage returns.
func (v *virtualTerminal) Write(p []byte) (int, error) {
	if _, err := v.Emulator.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// WriteString writes as Write does.
func (v *virtualTerminal) WriteString(text string) (int, error) { return v.Write([]byte(text)) }

// text is the screen without the spaces at the ends of lines.
func (v *virtualTerminal) text() string {
	var b strings.Builder
	for line := range strings.Lines(v.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// golden compares text with a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "screens", name+".txt")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./cmd -run Screen -update writes it anew")
}

var screenTime = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// screenTasks are tasks in all states, with texts that would break a terminal.
func screenTasks() []schema.Task {
	at := func(d time.Duration) schema.Time { return schema.TimeOf(screenTime.Add(-d)) }
	id := func(n byte) uuid.UUID {
		return uuid.UUID{0x01, 0x9c, 0x12, 0x34, 0x56, 0x78, 0x70, 0, 0x80, 0, 0, 0, 0xab, 0xcd, 0xef, n}
	}
	input := func(text string) jsontext.Value { return jsontext.Value(text) }
	own := map[string]string{show.OwnerLabel: "jobline"}
	return []schema.Task{
		{ID: id(6), Type: "exec", Labels: own, CreatedAt: at(0), Input: input(`{"argv":["make","test"]}`)},
		{ID: id(5), Type: "unicornWrangling", State: schema.Running, Labels: map[string]string{show.OwnerLabel: "nvim", "project": "/home/ada/unicorns"}, CreatedAt: at(90 * time.Second), StartedAt: at(80 * time.Second), Input: input(`{"durationMs":400}`), Progress: &schema.Progress{Value: 3, Total: 4, Unit: "steps", Message: "befriend"}},
		{ID: id(4), Type: "exec", State: schema.Running, Labels: own, CreatedAt: at(time.Hour), StartedAt: at(5 * time.Second), Input: input(`{"argv":["sh","-c","cd /very/long/path && ./configure --prefix=/opt/program && make -j16 all install"]}`)},
		{ID: id(3), Type: "exec", State: schema.Failed, Labels: own, CreatedAt: at(26 * time.Hour), StartedAt: at(26 * time.Hour), FinishedAt: at(25 * time.Hour), Error: &schema.TaskError{Kind: schema.KindExit, ExitCode: new(2), Message: "make exited with code 2"}, Input: input(`{"argv":["make","日本語","\u001b]0;title\u0007","\u202e"]}`)},
		{ID: id(2), Type: "noop", State: schema.Completed, Labels: map[string]string{}, CreatedAt: at(50 * time.Hour), StartedAt: at(50 * time.Hour), FinishedAt: at(50*time.Hour - 12*time.Millisecond), Input: input(`{}`)},
		{ID: id(1), Type: "sleep", State: schema.Cancelled, Labels: own, CreatedAt: at(30 * 24 * time.Hour), Input: input(`{"durationMs":600000}`)},
	}
}

func TestListScreens(t *testing.T) {
	for _, columns := range []int{40, 60, 80, 120, 200} {
		v := newVirtualTerminal(columns, 8)
		tasks := screenTasks()
		require.NoError(t, taskTable(tasks, screenTime, columns).print(v, v.looks))
		golden(t, fmt.Sprintf("list-%d", columns), v.text())
		require.Equal(t, len(tasks)+1, strings.Count(v.text(), "\n"), "no line is broken")
	}
}

// TestReadmeScreen is the screen that the README shows.
func TestReadmeScreen(t *testing.T) {
	v := newVirtualTerminal(88, 8)
	at := func(d time.Duration) schema.Time { return schema.TimeOf(screenTime.Add(-d)) }
	tasks := []schema.Task{
		{ID: uuid.MustParse("019c1234-5678-7000-8000-0000b18f4a07"), Type: "exec", CreatedAt: at(2 * time.Second), Input: jsontext.Value(`{"argv":["make","deploy"]}`)},
		{ID: uuid.MustParse("019c1234-5678-7000-8000-0000e52e0c47"), Type: "exec", State: schema.Running, CreatedAt: at(14 * time.Second), StartedAt: at(14 * time.Second), Input: jsontext.Value(`{"argv":["make","-j4","test"]}`)},
		{ID: uuid.MustParse("019c1234-5678-7000-8000-00008b9811de"), Type: "thumbnails", State: schema.Running, CreatedAt: at(40 * time.Second), StartedAt: at(38 * time.Second), Input: jsontext.Value(`{"dir":"photos"}`), Progress: &schema.Progress{Value: 312, Total: 480}},
		{ID: uuid.MustParse("019c1234-5678-7000-8000-00001df4b17c"), Type: "exec", State: schema.Failed, CreatedAt: at(3 * time.Minute), StartedAt: at(3 * time.Minute), FinishedAt: at(150 * time.Second), Input: jsontext.Value(`{"argv":["npm","run","lint"]}`), Error: &schema.TaskError{Kind: schema.KindExit, ExitCode: new(1)}},
		{ID: uuid.MustParse("019c1234-5678-7000-8000-00000fc5b2d9"), Type: "exec", State: schema.Completed, CreatedAt: at(time.Hour), StartedAt: at(time.Hour), FinishedAt: at(time.Hour - 192*time.Second), Input: jsontext.Value(`{"argv":["cargo","build"]}`)},
	}
	for i, owner := range []string{"jobline", "jobline", "nvim", "vscode", "jobline"} {
		tasks[i].Labels = map[string]string{show.OwnerLabel: owner}
	}
	_, err := v.Write([]byte("$ jobline list\n"))
	require.NoError(t, err)
	require.NoError(t, taskTable(tasks, screenTime, 88).print(v, v.looks))
	golden(t, "readme", v.text())
}

func TestStatusScreen(t *testing.T) {
	v := newVirtualTerminal(60, 24)
	lines := taskLines(&screenTasks()[3], screenTime, v.looks, 60)
	lines = append(lines, "")
	lines = append(lines, taskLines(&screenTasks()[1], screenTime, v.looks, 60)...)
	_, err := io.WriteString(v, strings.Join(lines, "\n"))
	require.NoError(t, err)
	zone := strings.NewReplacer(screenTime.Add(-26*time.Hour).Local().Format(time.DateTime), "2026-01-30 10:00:00",
		screenTime.Add(-25*time.Hour).Local().Format(time.DateTime), "2026-01-30 11:00:00",
		screenTime.Add(-90*time.Second).Local().Format(time.DateTime), "2026-01-31 11:58:30",
		screenTime.Add(-80*time.Second).Local().Format(time.DateTime), "2026-01-31 11:58:40")
	golden(t, "status", zone.Replace(v.text()))
}

// TestStatusShowsAllOfAnError, in as many lines as it takes.
func TestStatusShowsAllOfAnError(t *testing.T) {
	task := screenTasks()[3]
	task.Error.Message = `"make test" is not in PATH: install it, or give its absolute path; that is one word with all of its signs`
	task.Result = jsontext.Value(`"` + strings.Repeat("x", 100) + `"`)
	lines := strings.Join(taskLines(&task, screenTime, terminal{}, 60), "\n")
	require.Contains(t, lines, `
error      "make test" is not in PATH: install it, or give
           its absolute path; that is one word with all of
           its signs
task `)
	require.Contains(t, lines, "\nresult     \""+strings.Repeat("x", 47)+"…")
}

// TestWaitScreens draws a wait for several tasks while they run, fail and end.
func TestWaitScreens(t *testing.T) {
	v := newVirtualTerminal(72, 12)
	b := newBoard("jobline")
	b.out, b.err, b.bottom, b.began = v.looks, escapingWriter{v}, block{to: v}, screenTime
	tasks := screenTasks()
	for i := range tasks[:4] {
		tasks[i].State, tasks[i].Progress = schema.Queued, nil
		b.expect(&tasks[i])
	}
	draw := func(name string, after time.Duration) {
		b.mu.Lock()
		b.bottom.draw(b.linesLocked(screenTime.Add(after)))
		b.mu.Unlock()
		golden(t, "wait-"+name, v.text())
	}
	draw("1-queued", 0)
	for _, i := range []int{1, 2, 3} {
		b.event(client.Event{Started: &schema.StartedEvent{ID: tasks[i].ID, StartedAt: schema.TimeOf(screenTime.Add(time.Duration(i) * time.Second))}})
	}
	b.event(client.Event{Progress: &schema.ProgressEvent{ID: tasks[1].ID, Progress: schema.Progress{Value: 1, Total: 3, Unit: "steps", Message: "find\x1b[2J"}}})
	draw("2-running", 5*time.Second)
	tasks[3].State = schema.Failed
	b.end(&tasks[3], endsBadly)
	draw("3-failed", 6*time.Second)
	tasks[1].State = schema.Completed
	b.end(&tasks[1], endsWell)
	draw("4-ended", 9*time.Second)
	b.clear()
	golden(t, "wait-5-over", v.text())
}

func TestSubmitScreen(t *testing.T) {
	v := newVirtualTerminal(60, 4)
	b := newBoard("jobline")
	b.out, b.err, b.bottom, b.began = v.looks, escapingWriter{v}, block{to: v}, screenTime
	b.count(12345)
	require.NoError(t, b.above(v, []byte("019c1234-5678-7000-8000-0000abcdef01\n")))
	b.bottom.draw(b.linesLocked(screenTime.Add(2 * time.Second)))
	golden(t, "submit", v.text())
}

func TestLogsScreens(t *testing.T) {
	tasks := screenTasks()
	for name, of := range map[string][]schema.Task{"one": tasks[3:4], "several": tasks[2:4]} {
		v := newVirtualTerminal(60, 12)
		p := newLogPrinter("jobline", of, false, false)
		p.out, p.err, p.outLooks, p.errLooks = escapingWriter{v}, escapingWriter{v}, v.looks, v.looks
		for i, piece := range []struct {
			stream schema.Stream
			text   string
		}{
			{schema.Stdout, "compiling a.c\ncompiling "}, {schema.Stderr, "a.c:1: warning: \x1b[2J\x1b]52;c;ZXZpbA==\a\n"},
			{schema.Stdout, "b.c\r\n"}, {schema.Log, "stdout 30\n"}, {schema.Stderr, "error without an end"},
		} {
			require.NoError(t, p.show(logPiece{id: of[i%len(of)].ID, stream: piece.stream, data: []byte(piece.text)}))
		}
		for i := range of {
			require.NoError(t, p.flush(of[i].ID))
		}
		golden(t, "logs-"+name, v.text())
	}
}
