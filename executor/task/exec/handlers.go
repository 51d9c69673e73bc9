package exec

import (
	"runtime"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

// The size of a terminal whose task does not say, and the variable that names its
// kind.
const (
	defaultRows    = 24
	defaultColumns = 80
	termVar        = "TERM"
	defaultTerm    = "xterm-256color"
)

// checkTerminal refuses what only a terminal has, and a terminal where there is none.
func checkTerminal(in *Input) error {
	switch {
	case in.PTY && !hasTerminals:
		return invalid("pty is true, but " + runtime.GOOS + " has no terminals for commands: leave it out")
	case !in.PTY && (in.Rows != 0 || in.Columns != 0):
		return invalid("rows and columns are the size of a terminal: give pty: true as well, or leave them out")
	}
	return nil
}

// handlers are what clients can do with a command that runs.
func handlers(t *tree, out *streams) executor.Handlers {
	h := executor.Handlers{
		Input: func([]byte, bool) error {
			return &executor.UnreachableError{Why: "the command has no open stdin", Cure: "submit it with openStdin: true"}
		},
		Signal: t.requestSignal,
		Resize: func(uint16, uint16) error {
			return &executor.UnreachableError{Why: "the command has no terminal", Cure: "submit it with pty: true"}
		},
	}
	if out.more != nil {
		h.Input = out.more.Send
	}
	if out.terminal != nil {
		h.Resize = out.terminal.resize
	}
	return h
}

var (
	errCommandEnded = &executor.UnreachableError{Why: "the command has ended", Cure: "submit a new task"}
	errEnding       = &executor.UnreachableError{Why: "the task was told to stop, and " + string(schema.SignalStop) + " would keep it from that", Cure: "a cancel with force kills it"}
)
