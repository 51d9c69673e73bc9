package cmd

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/jobline/jobline/executor"
)

// ledgerInput says what a task of the ledger does.
type ledgerInput struct {
	File string `json:"file"`
	Ms   int    `json:"ms"`
	// Deaf is a task that does not stop when it is told to.
	Deaf bool `json:"deaf"`
}

// ledgerResult says which run of a task has made it.
type ledgerResult struct {
	Attempt int `json:"attempt"`
	PID     int `json:"pid"`
}

// ledgerEnv names the file to which a server of the ledger writes its own pauses.
const ledgerEnv = "JOBLINE_TEST_LEDGER"

const (
	// pauseStep is how often a server of the ledger looks at the clock, and pauseTold how long it must not have
	// done so to have made a pause: it was stopped, or the machine is slow.
	pauseStep = 20 * time.Millisecond
	pauseTold = 200 * time.Millisecond
)

// ledgerProgram is jobline with one type more: its tasks write what they do to a file that all
// share, and when. So does the server when it did not run for a while.
func ledgerProgram() {
	if name := os.Getenv(ledgerEnv); name != "" {
		go notePauses(name) // ends with the process
	}
	Main(executor.MustDefine("ledger", func(ctx context.Context, in ledgerInput) (ledgerResult, error) {
		r := ledgerResult{executor.Attempt(ctx), os.Getpid()}
		if err := enter(in.File, "begins", executor.TaskID(ctx), r); err != nil {
			return r, err
		}
		stops := ctx.Done()
		if in.Deaf {
			stops = nil
		}
		select {
		case <-time.After(time.Duration(in.Ms) * time.Millisecond):
		case <-stops:
			return r, cmp.Or(enter(in.File, "stops", executor.TaskID(ctx), r), context.Cause(ctx))
		}
		return r, enter(in.File, "ends", executor.TaskID(ctx), r)
	}))
}

// notePauses writes the pauses of this process to a ledger, each in the place of a task.
func notePauses(name string) {
	for before := time.Now(); ; {
		time.Sleep(pauseStep)
		now := time.Now()
		if d := now.Sub(before); d > pauseTold && enter(name, "pauses", uuid.Nil, ledgerResult{int(d.Milliseconds()), os.Getpid()}) != nil {
			return
		}
		before = now
	}
}

// ledgerFile has the file that this process writes to.
var ledgerFile struct {
	once sync.Once
	file *os.File
	err  error
}

// enter writes a line in one piece: what, of which run, and when, in microseconds.
func enter(name, what string, id uuid.UUID, r ledgerResult) error {
	l := &ledgerFile
	l.once.Do(func() { l.file, l.err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) })
	if l.err != nil {
		return l.err
	}
	_, err := l.file.WriteString(fmt.Sprintln(what, id, r.Attempt, r.PID, time.Now().UnixMicro()))
	return err
}
