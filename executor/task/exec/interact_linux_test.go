package exec

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/client"
	"github.com/jobline/jobline/rpc/rpctest"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// talk is a command that a client talks to, over the protocol.
type talk struct {
	*client.Client
	t    *testing.T
	id   uuid.UUID
	done chan struct{}

	mu     sync.Mutex
	output [2]bytes.Buffer // of stdout and stderr
	end    schema.Task
}

// talkTo starts a command, and reads all that it writes.
func talkTo(t *testing.T, c *Runner, in Input) *talk {
	t.Helper()
	typ, err := c.Type()
	require.NoError(t, err)
	k := &talk{Client: rpctest.New(t, typ), t: t, done: make(chan struct{})}
	input, err := json.Marshal(in)
	require.NoError(t, err)
	k.id = uuid.New()
	_, err = k.Submit(t.Context(), schema.SubmitParams{ID: k.id, Type: TypeName, Input: input, Output: schema.OutputLossless, GraceMs: new(int64(60_000))})
	require.NoError(t, err)
	started := make(chan struct{})
	go k.read(started)
	select {
	case <-started:
	case <-time.After(patience):
		require.FailNow(t, "the command does not start")
	}
	return k
}

func (k *talk) read(started chan struct{}) {
	defer close(k.done)
	for ev := range k.Events(context.Background()) {
		switch {
		case ev.Started != nil:
			close(started)
		case ev.Output != nil:
			data := []byte(ev.Output.Data)
			if ev.Output.Encoding == schema.EncodingBase64 {
				data = must(base64.StdEncoding.DecodeString(ev.Output.Data))
			}
			k.mu.Lock()
			k.output[ev.Output.Stream].Write(data)
			k.mu.Unlock()
		case ev.Finished != nil:
			k.end = ev.Finished.Task
			return
		}
	}
}

func (k *talk) stdout() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.output[schema.Stdout].String()
}

// hears waits for a text in stdout.
func (k *talk) hears(text string) {
	k.t.Helper()
	require.Eventually(k.t, func() bool { return strings.Contains(k.stdout(), text) }, patience, time.Millisecond, "%q", text)
}

func (k *talk) says(text string) {
	k.t.Helper()
	require.NoError(k.t, k.Input(k.t.Context(), schema.InputParams{ID: k.id, Data: text}))
}

func (k *talk) closes() {
	k.t.Helper()
	require.NoError(k.t, k.Input(k.t.Context(), schema.InputParams{ID: k.id, Close: true}))
}

func (k *talk) signals(s schema.Signal) {
	k.t.Helper()
	require.NoError(k.t, k.Signal(k.t.Context(), schema.SignalParams{ID: k.id, Signal: s}))
}

func (k *talk) cancels() {
	k.t.Helper()
	_, err := k.Cancel(k.t.Context(), schema.CancelParams{ID: k.id})
	require.NoError(k.t, err)
}

func (k *talk) status() schema.Task {
	k.t.Helper()
	task, err := k.Status(k.t.Context(), schema.StatusParams{ID: k.id})
	require.NoError(k.t, err)
	return task
}

// ends waits for the end of the task.
func (k *talk) ends() schema.Task {
	k.t.Helper()
	select {
	case <-k.done:
	case <-time.After(patience):
		require.FailNow(k.t, "the command does not end", k.stdout())
	}
	return k.end
}

// code requires an error of the protocol.
func code(t *testing.T, err error, want schema.Code, says string) {
	t.Helper()
	var e *wire.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Code, e.Message)
	require.Contains(t, e.Message, says)
}

func shell(script string) []string { return []string{"sh", "-c", script} }

func TestInputGoesToStdin(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"cat"}, Stdin: "first\n", OpenStdin: true})
	k.hears("first\n")
	k.says("second ")
	require.NoError(t, k.Input(t.Context(), schema.InputParams{ID: k.id, DataBase64: []byte("\xff\x00")}))
	k.hears("first\nsecond \xff\x00")
	require.NoError(t, k.Input(t.Context(), schema.InputParams{ID: k.id, Data: "last", Close: true}))
	require.Equal(t, schema.Completed, k.ends().State)
	require.Equal(t, "first\nsecond \xff\x00last", k.stdout())
	code(t, k.Input(t.Context(), schema.InputParams{ID: k.id, Data: "x"}), schema.CodeNotPermitted, "the task has ended; submit a new one")
}

// TestInputIsWhole sends far more than waits anywhere, to a reader that is slower
// than the writer.
func TestInputIsWhole(t *testing.T) {
	const size = 16 * executor.MaxInputBytes
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell("sleep 0.3; sha256sum"), OpenStdin: true})
	sum := sha256.New()
	w := k.InputWriter(t.Context(), k.id)
	piece := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	for i := 0; i < size; i += len(piece) {
		copy(piece, fmt.Sprint(i))
		sum.Write(piece)
		_, err := w.Write(piece)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.Equal(t, schema.Completed, k.ends().State)
	require.Equal(t, fmt.Sprintf("%x  -\n", sum.Sum(nil)), k.stdout())
}

// TestInputOfADeafCommand: a command that reads nothing holds up neither its
// connection nor its own end, and no more waits for it than the limit.
func TestInputOfADeafCommand(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"sleep", "1000"}, OpenStdin: true})
	piece := strings.Repeat("x", 64<<10)
	sent := 0
	var err error
	for ; err == nil && sent < 100; sent++ {
		err = k.Input(t.Context(), schema.InputParams{ID: k.id, Data: piece})
	}
	code(t, err, schema.CodeQueueFull, "the limit of 1048576: nothing was sent; send it again")
	require.Less(t, sent, 20)
	code(t, k.Input(t.Context(), schema.InputParams{ID: k.id, Data: strings.Repeat("x", executor.MaxInputBytes+1)}), schema.CodeTooLarge, "send them in pieces")
	began := time.Now()
	require.Equal(t, schema.Running, k.status().State)
	require.Less(t, time.Since(began), patience)
	k.cancels()
	require.Equal(t, schema.Cancelled, k.ends().State)
}

func TestInputThatNobodyTakes(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell("exec <&-; echo closed; sleep 1000"), OpenStdin: true})
	k.hears("closed")
	require.Eventually(t, func() bool { // the first write tells that nobody reads
		err := k.Input(t.Context(), schema.InputParams{ID: k.id, Data: "x"})
		return err != nil && strings.Contains(err.Error(), "the task reads no more input")
	}, patience, time.Millisecond)
	k.cancels()
	k.ends()

	k = talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"sleep", "1000"}})
	code(t, k.Input(t.Context(), schema.InputParams{ID: k.id, Data: "x"}), schema.CodeNotPermitted, "the command has no open stdin; submit it with openStdin: true")
	code(t, k.Resize(t.Context(), schema.ResizeParams{ID: k.id, Rows: 1, Columns: 1}), schema.CodeNotPermitted, "the command has no terminal; submit it with pty: true")
	code(t, k.Input(t.Context(), schema.InputParams{ID: uuid.New(), Data: "x"}), schema.CodeTaskNotFound, "task not found")
	k.cancels()
	k.ends()

	k = talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"sleep", "1000"}, OpenStdin: true})
	k.closes()
	code(t, k.Input(t.Context(), schema.InputParams{ID: k.id, Data: "x"}), schema.CodeNotPermitted, "was closed by an earlier request")
	k.cancels()
	k.ends()
}

// TestAnswerAfterCancel: a command that was asked to stop may ask back.
func TestAnswerAfterCancel(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell(`trap 'echo really?; read -r a <&0; echo "$a then"; exit 0' TERM; echo ready; while :; do sleep 0.01; done`), OpenStdin: true})
	k.hears("ready")
	k.cancels()
	k.hears("really?")
	k.says("yes\n")
	require.Equal(t, schema.Cancelled, k.ends().State)
	require.Contains(t, k.stdout(), "yes then")
}

// TestSignals: each signal reaches the command, and none of them cancels the task.
func TestSignals(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell(`for s in INT TERM HUP QUIT USR1 USR2 WINCH; do trap "echo got $s" $s; done; echo ready; while :; do sleep 0.01; done`)})
	k.hears("ready")
	for _, s := range []schema.Signal{schema.SignalInt, schema.SignalTerm, schema.SignalHup, schema.SignalQuit, schema.SignalUsr1, schema.SignalUsr2, schema.SignalWinch} {
		k.signals(s)
		k.hears("got " + string(s) + "\n")
	}
	require.Zero(t, k.status().CancelRequestedAt)
	code(t, k.Signal(t.Context(), schema.SignalParams{ID: k.id, Signal: "KILL"}), schema.CodeInvalidParams, `got "KILL", want one of "INT"`)
	_, err := k.Cancel(t.Context(), schema.CancelParams{ID: k.id, Force: true})
	require.NoError(t, err)
	k.ends()
}

// TestSignalThatEnds: a signal that ends the command fails the task, as one that
// somebody else has sent.
func TestSignalThatEnds(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"sleep", "1000"}})
	k.signals(schema.SignalInt)
	task := k.ends()
	require.Equal(t, schema.Failed, task.State)
	require.Equal(t, schema.KindSignal, task.Error.Kind)
	require.Equal(t, "SIGINT", task.Error.Signal)
	code(t, k.Signal(t.Context(), schema.SignalParams{ID: k.id, Signal: schema.SignalInt}), schema.CodeNotPermitted, "the task has ended")
}

// states are the states of processes, as /proc tells them.
func states(t *testing.T, pids []string) string {
	t.Helper()
	var all strings.Builder
	for _, pid := range pids {
		text, err := os.ReadFile("/proc/" + pid + "/stat")
		require.NoError(t, err)
		_, rest, _ := strings.Cut(string(text), ") ")
		all.WriteString(rest[:1])
	}
	return all.String()
}

// TestStop: all processes of a tree are stopped, also those that have left its
// group, until they are continued. A cancel continues them, so that they end.
func TestStop(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Runner) {
		k := talkTo(t, c, Input{Argv: shell(`sleep 1000 & echo $!; setsid sleep 1000 & echo $!; echo $$; exec sleep 1001`)})
		require.Eventually(t, func() bool { return strings.Count(k.stdout(), "\n") == 3 }, patience, time.Millisecond)
		pids := strings.Fields(k.stdout())
		are := func(want string) {
			t.Helper()
			require.Eventually(t, func() bool { return states(t, pids) == want }, patience, time.Millisecond, want)
		}
		page := func() bool {
			list, err := k.List(t.Context(), schema.ListParams{})
			require.NoError(t, err)
			waited, err := k.Wait(t.Context(), schema.WaitParams{IDs: []uuid.UUID{k.id}, TimeoutMs: new(int64(0))})
			require.NoError(t, err)
			require.Equal(t, list.Tasks[0].Stopped, waited.Tasks[0].Stopped)
			require.Equal(t, list.Tasks[0].Stopped, k.status().Stopped)
			return k.status().Stopped
		}
		are("SSS")
		require.False(t, page())
		k.signals(schema.SignalStop)
		require.True(t, page())
		are("TTT")
		k.signals(schema.SignalCont)
		require.False(t, page())
		are("SSS")
		for range 10 {
			k.signals(schema.SignalCont)
			k.signals(schema.SignalStop)
		}
		k.cancels()
		require.False(t, page())
		task := k.ends()
		require.Equal(t, schema.Cancelled, task.State)
		require.False(t, task.Error.Forced, "each was continued, and ended by SIGTERM")
		require.False(t, task.Stopped)
		stats, err := k.Stats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats.Stuck)
	})
}

// TestStoppedTaskTimesOut: a time-out goes on while a task is stopped.
func TestStoppedTaskTimesOut(t *testing.T) {
	r := newRig(t, 1)
	id := r.submit(Input{Argv: []string{"sleep", "1000"}}, 500, 60_000)
	require.Eventually(t, func() bool { return r.Signal(t.Context(), id, schema.SignalStop) == nil }, patience, time.Millisecond)
	task := r.end(id)
	require.Equal(t, schema.KindTimeout, task.Error.Kind)
	require.False(t, task.Error.Forced)
}

// TestStopAfterCancel: nothing keeps a task from its end that was told to stop.
func TestStopAfterCancel(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell(`trap 'echo asked; sleep 0.5; exit 1' TERM; echo ready; while :; do sleep 0.01; done`)})
	k.hears("ready")
	k.cancels()
	k.hears("asked")
	code(t, k.Signal(t.Context(), schema.SignalParams{ID: k.id, Signal: schema.SignalStop}), schema.CodeNotPermitted, "a cancel with force kills it")
	k.signals(schema.SignalWinch)
	require.False(t, k.ends().Error.Forced)
}

// TestSignalsWhileItEnds: signals that come as a command ends meet it or nobody.
func TestSignalsWhileItEnds(t *testing.T) {
	c := newCommand(t, Options{})
	for range 20 {
		k := talkTo(t, c, Input{Argv: shell("read -r line"), OpenStdin: true})
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for k.Signal(context.Background(), schema.SignalParams{ID: k.id, Signal: schema.SignalWinch}) == nil {
				}
			})
		}
		k.says("go\n")
		require.Equal(t, schema.Completed, k.ends().State)
		senders.Wait()
	}
}

// TestTerminal: a command with a terminal has all that belongs to one.
func TestTerminal(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Runner) {
		t.Setenv("TERM", "")
		k := talkTo(t, c, Input{Argv: shell(`stty size; tty; echo "$TERM"; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo all; (exec </dev/tty) && echo controls;
			ps -o tpgid=,pgid=,sid= -p $$ | awk '{print ($1==$2 && $2==$3) ? "leads" : "follows"}'; printf 'err\n' >&2; printf '\377raw'`), PTY: true, Rows: 33, Columns: 101})
		task := k.ends()
		require.Equal(t, schema.Completed, task.State, "%+v", task.Error)
		lines := strings.Split(k.stdout(), "\r\n")
		require.Equal(t, "33 101", lines[0])
		require.Regexp(t, "^/dev/pts/[0-9]+$", lines[1])
		require.Equal(t, []string{"xterm-256color", "all", "controls", "leads", "err", "\xffraw"}, lines[2:])
		require.Zero(t, task.OutputBytes.Stderr)
	})
}

func TestTerminalIsResized(t *testing.T) {
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell(`trap 'stty size' WINCH; stty size; while :; do sleep 0.01; done`), PTY: true})
	k.hears("24 80\r\n")
	require.NoError(t, k.Resize(t.Context(), schema.ResizeParams{ID: k.id, Rows: 50, Columns: 132}))
	k.hears("50 132\r\n")
	code(t, k.Resize(t.Context(), schema.ResizeParams{ID: k.id, Rows: 0, Columns: 132}), schema.CodeInvalidParams, "/rows")
	k.cancels()
	k.ends()
	code(t, k.Resize(t.Context(), schema.ResizeParams{ID: k.id, Rows: 50, Columns: 132}), schema.CodeNotPermitted, "the task has ended")
}

// TestKeysOfATerminal: what is typed is echoed and edited, Ctrl-C is SIGINT for the
// foreground, and the end of the input is what Ctrl-D is.
func TestKeysOfATerminal(t *testing.T) {
	in := Input{Argv: []string{"cat"}, PTY: true, OpenStdin: true}
	k := talkTo(t, newCommand(t, Options{}), in)
	k.says("helo\x7flo\n")
	k.hears("hello\r\n") // from cat; the echo has the correction
	k.says("part of a line")
	k.closes()
	require.Equal(t, schema.Completed, k.ends().State)
	require.Equal(t, 2, strings.Count(k.stdout(), "part of a line"))

	k = talkTo(t, newCommand(t, Options{}), in)
	k.says("\x03")
	require.Equal(t, "SIGINT", k.ends().Error.Signal)

	k = talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"cat"}, PTY: true, Stdin: "given\n"})
	require.Equal(t, schema.Completed, k.ends().State)
	require.Equal(t, 2, strings.Count(k.stdout(), "given"), k.stdout())
}

// TestOutputOfATerminalIsWhole: much output arrives, also what was written just
// before the end, and the command waits for its reader.
func TestOutputOfATerminalIsWhole(t *testing.T) {
	const lines = 300_000
	k := talkTo(t, newCommand(t, Options{}), Input{Argv: shell(fmt.Sprintf("stty -onlcr; seq %d", lines)), PTY: true})
	k.ends()
	want, err := exec.Command("seq", fmt.Sprint(lines)).Output()
	require.NoError(t, err)
	require.True(t, string(want) == k.stdout(), "%d bytes of %d", len(k.stdout()), len(want))
	for range 50 {
		k = talkTo(t, newCommand(t, Options{}), Input{Argv: []string{"echo", "the end"}, PTY: true})
		k.ends()
		require.Equal(t, "the end\r\n", k.stdout())
	}
}

// TestTerminalThatWaitsForItsReader: a terminal whose output nobody takes stops the
// command, and takes no memory.
func TestTerminalThatWaitsForItsReader(t *testing.T) {
	var out blocked
	out.open = make(chan struct{})
	c := newCommand(t, Options{})
	done := make(chan error, 1)
	go func() {
		_, err := c.run(context.Background(), &Input{Argv: shell("stty -onlcr; head -c 1000000 /dev/zero | tr '\\0' x"), PTY: true},
			task{id: uuid.NewString(), stdout: &out, started: func(int) {}})
		done <- err
	}()
	select {
	case err := <-done:
		require.FailNow(t, "it ended before it was read", "%v", err)
	case <-time.After(2 * pipeDelay):
	}
	close(out.open)
	require.NoError(t, <-done)
	require.Equal(t, strings.Repeat("x", 1_000_000), out.String())
}

// blocked takes nothing until it is opened.
type blocked struct {
	bytes.Buffer
	open chan struct{}
}

func (b *blocked) Write(p []byte) (int, error) {
	<-b.open
	return b.Buffer.Write(p)
}

// TestTreeOfATerminal: a shell with job control puts each job into a group of its
// own. All of them end with the task.
func TestTreeOfATerminal(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Runner) {
		k := talkTo(t, c, Input{Argv: shell(`set -m; sleep 1000 & echo "job $!"; sleep 1001 & echo "job $!"; sleep 1002`), PTY: true, OpenStdin: true})
		require.Eventually(t, func() bool { return strings.Count(k.stdout(), "job") == 2 }, patience, time.Millisecond)
		k.cancels()
		require.Equal(t, schema.Cancelled, k.ends().State)
		for line := range strings.Lines(k.stdout()) {
			if pid, ok := strings.CutPrefix(line, "job "); ok {
				_, alive := groupOf(must(strconv.Atoi(strings.TrimSpace(pid))))
				require.False(t, alive, line)
			}
		}
	})
}

// TestTerminalsAreFreed: nothing of a terminal is left open.
func TestTerminalsAreFreed(t *testing.T) {
	c := newCommand(t, Options{})
	run(t, c, Input{Argv: []string{"true"}, PTY: true})
	before := openDescriptors(t)
	for range 20 {
		run(t, c, Input{Argv: []string{"true"}, PTY: true, OpenStdin: true})
		run(t, c, Input{Argv: []string{"/nonexistent"}, PTY: true})
		run(t, c, Input{Argv: []string{"cat"}, Stdin: strings.Repeat("line\n", 10_000), PTY: true})
	}
	require.LessOrEqual(t, openDescriptors(t), before)
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names)
}

// TestEditorsInATerminal runs programs that use all of a terminal.
func TestEditorsInATerminal(t *testing.T) {
	file := t.TempDir() + "/text"
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("a line\n", 100)+"the last line\n"), 0o600))
	for _, program := range []struct {
		argv []string
		keys [][2]string // what to type, and what is shown then
	}{
		{[]string{"less", file}, [][2]string{{"G", "the last line"}, {"q", ""}}},
		{[]string{"vi", file}, [][2]string{{"Gonew\x1b:wq\r", ""}}},
		{[]string{"tput", "cols"}, [][2]string{{"", "91"}}},
	} {
		t.Run(program.argv[0], func(t *testing.T) {
			if _, err := exec.LookPath(program.argv[0]); err != nil {
				t.Skip(err)
			}
			k := talkTo(t, newCommand(t, Options{}), Input{
				Argv: program.argv, PTY: true, OpenStdin: true, Rows: 20, Columns: 91, Env: map[string]*string{"TERM": new("vt100")},
			})
			for _, step := range program.keys {
				if step[0] != "" {
					k.hears("a line")
					k.says(step[0])
				}
				k.hears(step[1])
			}
			require.Equal(t, schema.Completed, k.ends().State)
			if program.argv[0] == "vi" {
				text, err := os.ReadFile(file)
				require.NoError(t, err)
				require.Contains(t, string(text), "the last line\nnew\n")
			}
		})
	}
}

func TestTerminalIsChecked(t *testing.T) {
	c := newCommand(t, Options{})
	_, err := c.Run(t.Context(), Input{Argv: []string{"true"}, Rows: 3})
	require.ErrorContains(t, err, "give pty: true as well")
	_, err = c.Run(t.Context(), Input{Argv: []string{"true"}, PTY: true, Rows: 3})
	require.NoError(t, err)
}

// TestSignalsAreBounded: signals that come faster than they can be sent are refused.
func TestSignalsAreBounded(t *testing.T) {
	c := newCommand(t, Options{})
	p, err := c.command(&Input{Argv: []string{"sleep", "1000"}}, uuid.NewString())
	require.NoError(t, err)
	tree, out, err := c.start(p, &task{stdout: io.Discard, stderr: io.Discard}, &Input{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	var full *executor.FullError
	for err == nil {
		err = tree.requestSignal(schema.SignalWinch)
	}
	require.ErrorAs(t, err, &full)
	require.EqualValues(t, maxSignals, full.Limit)
	supervise(ctx, tree, out, nil)
	require.ErrorIs(t, tree.requestSignal(schema.SignalWinch), errCommandEnded)
}
