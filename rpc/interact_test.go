package rpc_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

type converseInput struct {
	WaitMs int64 `json:"waitMs,omitzero"`
}

// runConverse writes to its output what clients send, until they close the input.
func runConverse(ctx context.Context, in converseInput) (nothing, error) {
	out := executor.Output(ctx, schema.Stdout)
	input := executor.NewInputReader(ctx)
	executor.Handle(ctx, executor.Handlers{
		Input: input.Send,
		Signal: func(s schema.Signal) error {
			fmt.Fprintf(out, "[%s]", s)
			return nil
		},
		Resize: func(rows, columns uint16) error {
			fmt.Fprintf(out, "[%dx%d]", rows, columns)
			return nil
		},
	})
	time.Sleep(time.Duration(in.WaitMs) * time.Millisecond)
	_, err := io.Copy(out, input)
	return nothing{}, err
}
