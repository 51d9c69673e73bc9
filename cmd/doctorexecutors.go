package cmd

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jobline/jobline/cmd/internal/show"
	"github.com/jobline/jobline/executor/store/nats"
	"github.com/jobline/jobline/schema"
)

// This file has what doctor says of a queue of many machines, and of where a store is.

// ofAnotherHome reports whether a server with a store was started for another home, or keeps its tasks in
// memory. One with a file that was named, or a namespace, is what was asked for.
func ofAnotherHome(file, own string) bool {
	inScope := func(path string) string { return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path)) }
	return file == "" || !nats.IsAddress(file) && inScope(file) == inScope(own)
}

// runners looks at who runs the tasks of a store that many machines share.
func (d *doctor) runners(context.Context) {
	const check = "executors"
	if d.stats == nil || d.executors == nil || !nats.IsAddress(d.stats.Store.File) {
		return
	}
	slots, running := 0, 0
	for i := range d.executors {
		e := &d.executors[i]
		running += e.Running
		if !e.Draining {
			slots += e.Limit
		}
		d.runner(check, e)
	}
	switch {
	case len(d.executors) == 0:
		d.warn(check, "nobody runs tasks of this store"+waitingTasks(d.stats.Tasks.Queued), "a server with it that has no --limit 0 does")
	case slots == 0:
		d.warn(check, "nobody begins tasks of this store"+waitingTasks(d.stats.Tasks.Queued), "start another server with it, or undo a drain")
	default:
		d.ok(check, fmt.Sprintf("%s with %d slots, %s", counted(len(d.executors), "executor"), slots, counted(running, "running task")))
	}
}

// runner looks at one executor.
func (d *doctor) runner(check string, e *schema.ExecutorInfo) {
	switch {
	case e.Ending:
		d.warn(check, fmt.Sprintf("%s is draining, and its server ends with the last of %s", e.Name, counted(e.Running, "running task")), "")
	case e.Draining:
		d.warn(check, e.Name+" is draining: it begins no task", fmt.Sprintf("%s executors drain %s --undo lets it begin tasks again", d.program.Name, show.ShellWord(e.Name)))
	}
	if e.SilentMs > 0 {
		d.warn(check, fmt.Sprintf("%s has not been heard of for %s", e.Name, show.Span(time.Duration(e.SilentMs)*time.Millisecond)), "look at "+e.Host+"; its tasks are settled when its lease is over")
	}
}

func waitingTasks(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and %s", counted(n, "queued task"))
}
