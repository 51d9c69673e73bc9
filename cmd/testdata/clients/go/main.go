// Command go runs tasks on jobline through github.com/creachadair/jrpc2.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/creachadair/jrpc2"
	"github.com/creachadair/jrpc2/channel"
	"github.com/google/uuid"
)

type object map[string]any

// reply has what this program reads of results and notifications.
type reply struct {
	event                    string
	ID, State, Data, Outcome string
	Existing                 bool
	Seq                      uint64
	Tasks                    []reply
}

var (
	server = exec.Command("jobline", "serve")
	client *jrpc2.Client
	news   = make(chan reply, 1024)
	seen   = map[string][]reply{} // the notifications of each task
)

func start() error {
	server.Stderr = os.Stderr
	in, err := server.StdinPipe()
	if err != nil {
		return err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	// The client is locked while OnNotify runs, so that must not call it.
	client = jrpc2.NewClient(channel.Line(out, in), &jrpc2.ClientOptions{OnNotify: func(r *jrpc2.Request) {
		n := reply{event: strings.TrimPrefix(r.Method(), "task/")}
		if r.UnmarshalParams(&n) == nil {
			news <- n
		}
	}})
	return server.Start()
}

// call ends the program where the server answers with an error.
func call(method string, params object) (r reply) {
	if err := client.CallResult(context.Background(), method, params, &r); err != nil {
		log.Fatalf("%s: %v", method, err)
	}
	return r
}

// until waits for a notification of a task.
func until(id, event string) {
	for !slices.ContainsFunc(seen[id], func(n reply) bool { return n.event == event }) {
		n := <-news
		seen[n.ID] = append(seen[n.ID], n)
	}
}

// story waits for notifications of a task and tells them in the order that
// they were sent. The client may hand them over in another order, even after
// the finished one and after the reply of a wait.
func story(id string, events ...string) string {
	for _, event := range events {
		until(id, event)
	}
	slices.SortFunc(seen[id], func(a, b reply) int { return cmp.Compare(a.Seq, b.Seq) })
	events = events[:0]
	for _, n := range seen[id] {
		if !slices.Contains(events, n.event) {
			events = append(events, n.event)
		}
	}
	return seen[id][len(seen[id])-1].State + " after " + strings.Join(events, " ")
}

func main() {
	if err := start(); err != nil {
		log.Fatal(err)
	}

	// An id of our own makes it safe to submit again.
	nap := object{"id": uuid.NewString(), "type": "sleep", "input": object{"durationMs": 50, "progressEveryMs": 10}}
	fmt.Println("submitted sleep, known before:", call("submit", nap).Existing)
	napped := call("submit", nap)
	fmt.Println("submitted sleep, known before:", napped.Existing)
	fmt.Println("sleep", story(napped.ID, "started", "progress", "finished"))

	echo := call("submit", object{
		"type": "exec", "input": object{"argv": []string{"echo", "héllo ✓"}},
		"events": []string{"started", "progress", "output", "finished"},
	})
	told, output := story(echo.ID, "started", "output", "finished"), ""
	for _, n := range seen[echo.ID] {
		output += n.Data
	}
	fmt.Println("exec wrote", strings.TrimSpace(output))
	fmt.Println("exec", told)

	_, err := client.Call(context.Background(), "submit", object{"type": "slep"})
	if e, ok := errors.AsType[*jrpc2.Error](err); ok {
		var data struct {
			Kind      string
			Retryable bool
		}
		_ = json.Unmarshal(e.Data, &data) // every error has them
		fmt.Println("error", int(e.Code), data.Kind, "retryable:", data.Retryable)
	}

	long := call("submit", object{"type": "exec", "input": object{"argv": []string{"sleep", "600"}}})
	until(long.ID, "started")
	fmt.Println("cancel:", call("cancel", object{"id": long.ID, "reason": "enough"}).Outcome)

	all := call("wait", object{"ids": []string{napped.ID, echo.ID, long.ID}}).Tasks
	fmt.Println("exec", story(long.ID, "started", "finished"))
	fmt.Println("all:", all[0].State, all[1].State, all[2].State)

	// The server ends right after its reply, and the client may notice the end
	// first: then the call fails. The exit code is what counts.
	_, _ = client.Call(context.Background(), "shutdown", nil)
	_ = client.Close()
	_ = server.Wait()
	fmt.Println("exit", server.ProcessState.ExitCode())
}
