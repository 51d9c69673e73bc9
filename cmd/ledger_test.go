package cmd

import (
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

// ledgerProgram is jobline with one type more: its tasks write what they do to a file that all
// share.
func ledgerProgram() {
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
			return r, context.Cause(ctx)
		}
		return r, enter(in.File, "ends", executor.TaskID(ctx), r)
	}))
}

// ledgerFile has the file that this process writes to.
var ledgerFile struct {
	once sync.Once
	file *os.File
	err  error
}

// enter writes a line in one piece.
func enter(name, what string, id uuid.UUID, r ledgerResult) error {
	l := &ledgerFile
	l.once.Do(func() { l.file, l.err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) })
	if l.err != nil {
		return l.err
	}
	_, err := l.file.WriteString(fmt.Sprintln(what, id, r.Attempt, r.PID))
	return err
}
