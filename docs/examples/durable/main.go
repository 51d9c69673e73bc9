// Durable is a program with a task type of its own beside exec, and with a
// file in which tasks outlive it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/sqlite"
	"github.com/jobline/jobline/executor/task/exec"
	"github.com/jobline/jobline/rpc/stdio"
)

type input struct {
	File string `json:"file" jsonschema:"the text file to count"`
}

type result struct {
	Words int `json:"words"`
}

func countWords(_ context.Context, in input) (result, error) {
	text, err := os.ReadFile(in.File)
	return result{Words: len(strings.Fields(string(text)))}, err
}

// serve serves stdin and stdout, and answers the exit code.
func serve(ctx context.Context, file string) (code int, err error) {
	log, logs := stdio.NewLogger(os.Stderr, slog.LevelInfo, func(w io.Writer, o *slog.HandlerOptions) slog.Handler {
		return slog.NewTextHandler(w, o)
	})
	defer logs.Close()
	run, err := exec.Type(exec.Options{Logger: log})
	if err != nil {
		return 1, err
	}
	own := executor.MustDefine("countWords", countWords, executor.Idempotent()) // it may run again after a crash
	store, err := sqlite.Open(ctx, sqlite.Options{Path: file, Logger: log})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ex, err := executor.New(store, executor.Options{Types: []executor.Type{run, own}, Logger: log})
	if err != nil {
		return 1, err
	}
	return stdio.Run(ctx, ex, stdio.Options{Logger: log}), nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: durable FILE")
		os.Exit(2)
	}
	code, err := serve(context.Background(), os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "durable:", err)
		code = 1 // also where a signal ended it: not all may be in the file
	}
	os.Exit(code)
}
