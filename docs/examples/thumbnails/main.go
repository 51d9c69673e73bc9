// Thumbnails is a program with a task type of its own, and all of jobline's
// command line around it.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jobline/jobline/cmd"
	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/schema"
)

type input struct {
	Files []string `json:"files" jsonschema:"the pictures to make thumbnails of" schema:"minItems=1"`
	Width int      `json:"width,omitzero" jsonschema:"pixels; 64 by default" schema:"minimum=1,maximum=1024"`
}

type result struct {
	Made int `json:"made"`
}

func thumbnails(ctx context.Context, in input) (result, error) {
	total := float64(len(in.Files))
	for i, file := range in.Files {
		executor.Report(ctx, schema.Progress{Value: float64(i), Total: total, Unit: "files", Message: file})
		select { // the work; it stops when it is told to
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return result{}, context.Cause(ctx)
		}
		fmt.Fprintln(executor.Output(ctx, schema.Log), "made", file)
	}
	return result{Made: len(in.Files)}, nil
}

func main() {
	cmd.Main(executor.MustDefine("thumbnails", thumbnails, executor.Timeout(time.Minute), executor.Limit(2)))
}
