package executor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/executor/store/memory"
	"github.com/jobline/jobline/schema"
)

// runOne runs one task to its end, and shuts down.
func runOne(typ executor.Type, input string) (schema.Task, *executor.Executor) {
	ctx := context.Background()
	jobs, err := executor.New(memory.New(memory.Options{}), executor.Options{Types: []executor.Type{typ}})
	if err != nil {
		panic(err)
	}
	record, err := jobs.Prepare(&schema.SubmitParams{Type: typ.Name(), Input: jsontext.Value(input)})
	if err != nil {
		panic(err)
	}
	if _, err := jobs.Submit(ctx, []executor.Submission{record}); err != nil {
		panic(err)
	}
	jobs.Begin(schema.ShutdownDrain)
	if err := jobs.Run(ctx); err != nil {
		panic(err)
	}
	task, err := jobs.Status(ctx, record.ID)
	if err != nil {
		panic(err)
	}
	return task, jobs
}

// A task type is a function from an input to a result.
func ExampleDefine() {
	type order struct {
		Cups int `json:"cups" jsonschema:"how many cups to brew" schema:"minimum=1"`
	}
	type pot struct {
		Litres float64 `json:"litres"`
	}
	brew, err := executor.Define("brew", func(_ context.Context, in order) (pot, error) {
		return pot{Litres: float64(in.Cups) / 4}, nil
	}, executor.Describe("Brews tea."), executor.Alias("tea"))
	if err != nil {
		panic(err)
	}
	task, _ := runOne(brew, `{"cups":2}`)
	fmt.Println(task.State, string(task.Result))
	// Output: completed {"litres":0.5}
}

// A task tells how far it has come. Who watches sees the newest value.
func ExampleReport() {
	count := executor.MustDefine("count", func(ctx context.Context, upTo int) (int, error) {
		for n := range upTo {
			executor.Report(ctx, schema.Progress{Value: float64(n + 1), Total: float64(upTo), Unit: "sheep"})
		}
		return upTo, nil
	})
	task, _ := runOne(count, `3`)
	fmt.Println(task.Progress.Value, "of", task.Progress.Total, task.Progress.Unit)
	// Output: 3 of 3 sheep
}

// A task writes to streams, which can be read while it runs and after.
func ExampleOutput() {
	greet := executor.MustDefine("greet", func(ctx context.Context, name string) (bool, error) {
		_, err := fmt.Fprintf(executor.Output(ctx, schema.Stdout), "Hello, %s!\n", name)
		return true, err
	})
	task, jobs := runOne(greet, `"Ada"`)
	piece, err := jobs.Output(context.Background(), task.ID, schema.Stdout, executor.OutputRange{Tail: -1, Limit: 1000})
	if err != nil {
		panic(err)
	}
	fmt.Print(string(piece.Data))
	// Output: Hello, Ada!
}

// An executor runs beside the rest of a program until it is shut down.
func ExampleExecutor_Run() {
	check := executor.MustDefine("check", func(_ context.Context, ok bool) (string, error) {
		if !ok {
			return "", errors.New("it is not")
		}
		return "all is well", nil
	})
	ctx := context.Background()
	store := memory.New(memory.Options{})
	jobs, err := executor.New(store, executor.Options{Types: []executor.Type{check}, Limit: 2})
	if err != nil {
		panic(err)
	}
	ended := make(chan error)
	go func() { ended <- jobs.Run(ctx) }()

	events, err := jobs.Watch(ctx)
	if err != nil {
		panic(err)
	}
	if _, _, err := events.Subscribe(ctx, executor.Selector{Events: executor.DefaultEvents}); err != nil {
		panic(err)
	}
	for _, input := range []string{"true", "false"} {
		record, err := jobs.Prepare(&schema.SubmitParams{Type: "check", Input: jsontext.Value(input)})
		if err != nil {
			panic(err)
		}
		if _, err := jobs.Submit(ctx, []executor.Submission{record}); err != nil {
			panic(err)
		}
		printEnd(ctx, events)
	}
	result, err := jobs.Shutdown(ctx, schema.ShutdownDrain, 0)
	fmt.Println("left:", result.Left, err, <-ended, store.Close())
	// Output:
	// completed "all is well"
	// failed it is not
	// left: 0 <nil> <nil> <nil>
}

// printEnd waits for the end of a task.
func printEnd(ctx context.Context, events executor.Watcher) {
	for {
		next, err := events.Next(ctx)
		if err != nil {
			panic(err)
		}
		for _, ev := range next {
			if ev.Kind != executor.EventFinished {
				continue
			}
			if fmt.Print(ev.Task.State, " "); ev.Task.Error != nil {
				fmt.Println(ev.Task.Error.Message)
			} else {
				fmt.Println(string(ev.Task.Result))
			}
			return
		}
	}
}
