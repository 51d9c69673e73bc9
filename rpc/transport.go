package rpc

import (
	"context"

	"github.com/jobline/jobline/executor"
	"github.com/jobline/jobline/rpc/wire"
	"github.com/jobline/jobline/schema"
)

// transport sends the messages of a session. Only room and leave may wait.
type transport interface {
	// result and fail answer the request with the id.
	result(id []byte, f func([]byte) []byte)
	fail(id []byte, e *wire.Error)
	// submitted answers requests with their new tasks, in order.
	submitted(answers []newTask)
	// message sends a whole message.
	message(f func([]byte) []byte)
	// notify and event send a notification.
	notify(method string, params func([]byte) []byte)
	event(ev *executor.Event)
	// last is called after the last message.
	last()
	// leave waits for the end of the connection, and ends it where the client has
	// stopped reading.
	leave(ctx context.Context)
	// room waits until there is room for more events.
	room(ctx context.Context) error
	// unsent is how many bytes the client has not taken yet.
	unsent() int
}

// newTask is a task, and the id of the request that has asked for it.
type newTask struct {
	id   []byte
	task *schema.Task
}
